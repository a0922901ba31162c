"""From waveforms to mel spectrograms."""
