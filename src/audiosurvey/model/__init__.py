"""From mel spectrograms to logits: the grammar of blocks and the networks built from it."""
