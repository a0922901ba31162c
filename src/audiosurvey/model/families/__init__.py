"""Blocks that one family of networks alone uses."""
