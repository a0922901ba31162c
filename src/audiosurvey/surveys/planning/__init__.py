"""From a survey file to a plan: its configs, folds and seeds, and the budget of each."""
