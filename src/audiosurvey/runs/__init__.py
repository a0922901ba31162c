"""Training and evaluating folds: from a config to a run folder."""
