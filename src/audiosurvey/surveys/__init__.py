"""Surveys: many configs, data sets, folds and seeds, trained by any number of processes and machines."""
