"""From a YAML file to a checked config: loading, overrides, located faults."""
