"""Searches: hyperparameters chosen by trials that never see a test fold."""
