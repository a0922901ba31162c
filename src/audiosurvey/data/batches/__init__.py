"""Batches of waveforms, read from the store."""
