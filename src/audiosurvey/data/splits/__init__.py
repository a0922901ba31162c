"""Folds and splits: which clips train, validate and test, and which recordings they come from."""
