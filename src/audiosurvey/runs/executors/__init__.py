"""Executors: run the jobs of a run, in this process or in several."""
