"""From the scores of a sound, or of one window of it, to a word: the best label that is sure enough, or `unknown`."""

from collections.abc import Mapping

UNKNOWN = "unknown"
"""What is said of a sound that no class explains."""

Threshold = float | Mapping[str, float]
"""One for all labels, or one a label; a label that is missing needs none."""


def decide(scores: Mapping[str, float], threshold: Threshold | None) -> str:
    """The label with the highest score among those that reach their threshold, else `unknown`."""
    reached = {label: score for label, score in scores.items() if reaches(label, score, threshold)}
    return max(reached, key=reached.__getitem__, default=UNKNOWN)


def reaches(label: str, score: float, threshold: Threshold | None) -> bool:
    """Whether a score is high enough for its label; without a threshold every score is."""
    if threshold is None:
        return True
    return score >= (threshold.get(label, 0.0) if isinstance(threshold, Mapping) else threshold)
