"""From files on disk to batches of waveforms: tables, the store, folds."""
