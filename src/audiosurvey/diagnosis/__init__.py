"""Data audit: one pass over the sounds of a data set, then checks that report findings."""
