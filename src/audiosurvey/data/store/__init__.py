"""The store: every clip decoded once, in one memory-mapped file."""
