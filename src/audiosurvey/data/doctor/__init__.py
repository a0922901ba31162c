"""An audit of a data set: one pass over its sounds, then checks, each of which gives findings"""
