"""An audit of a data set: one pass over its sounds, then checks that report findings."""
