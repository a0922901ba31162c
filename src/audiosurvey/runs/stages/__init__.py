"""Stages of a run: pretraining, training, linear probes, the final model."""
