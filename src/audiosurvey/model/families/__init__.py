"""Blocks used by a single family of networks."""
