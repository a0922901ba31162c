"""Executors: how the folds of a run are trained, in one process or several."""
