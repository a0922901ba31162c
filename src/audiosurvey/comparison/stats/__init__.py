"""Statistics of a comparison: measures, intervals, tests and verdicts, on arrays of scores."""
