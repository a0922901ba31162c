"""Checks of a whole config that no single section can make."""
