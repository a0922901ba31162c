"""Mixing of two training clips."""
