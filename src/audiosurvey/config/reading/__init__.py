"""Reading YAML: positions, overrides, validation, messages."""
