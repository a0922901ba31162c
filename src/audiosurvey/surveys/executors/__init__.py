"""Executors: train the cells of a survey in this process, in several, or on a Ray cluster."""
