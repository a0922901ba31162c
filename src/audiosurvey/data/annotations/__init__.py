"""Annotated events in recordings: tables of several programs."""
