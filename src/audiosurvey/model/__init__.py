"""Networks: blocks, the config section that lists them, and pretrained weights."""
