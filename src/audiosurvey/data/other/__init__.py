"""Sounds of no class: read or made, and divided as the clips are."""
