"""The Python API: a function for each command, runs as objects, and the parts of a training for one's own loop."""
