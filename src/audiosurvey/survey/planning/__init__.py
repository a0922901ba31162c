"""From a survey file to a plan: which configs, folds and seeds there are, and what each may cost."""
