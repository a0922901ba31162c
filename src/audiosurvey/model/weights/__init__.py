"""Pretrained weights: checkpoint formats, released files, and loading them into a network."""
