"""Scores of clips from a network, and evaluation of finished runs and models."""
