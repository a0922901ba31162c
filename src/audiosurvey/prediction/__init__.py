"""Predictions on files, folders, streams and microphones."""
