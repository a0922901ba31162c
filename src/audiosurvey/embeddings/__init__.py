"""Sounds by their embeddings: search by sound, and the choice of clips to label."""
