"""Comparison of models on the same clips: intervals, tests, verdicts, costs."""
