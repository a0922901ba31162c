"""The files of a run folder: results, predictions, logs."""
