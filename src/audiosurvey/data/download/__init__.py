"""Downloads of published data sets and weights."""
