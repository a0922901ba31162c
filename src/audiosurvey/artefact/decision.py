"""From calibrated scores to labels, or `unknown`.

With exclusive classes the prediction is the best class, or `unknown` if that class does not reach its threshold; never
a lower class. With several labels each is given if it reaches its own threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

UNKNOWN = "unknown"
"""The prediction if no class reaches its threshold."""
SEVERAL_LABELS_ON = 0.5
"""With several labels: the threshold of a label that has none of its own."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of a model by label."""

    window: Mapping[str, float] = field(default_factory=dict)
    """For the score of a single window."""
    sound: Mapping[str, float] = field(default_factory=dict)
    """For the mean of several windows."""


Threshold = float | Mapping[str, float] | Thresholds
"""One for all labels, or one for each."""


def least_score(label: str, threshold: Threshold, windows: int = 1, *, multi_label: bool = False) -> float:
    """The score that `label` must reach. With exclusive classes it is 0 for a class without a threshold."""
    if isinstance(threshold, Thresholds):
        threshold = threshold.window if windows == 1 else threshold.sound
    if not isinstance(threshold, Mapping):
        return threshold
    return threshold.get(label, SEVERAL_LABELS_ON if multi_label else 0.0)


def reaches(
    label: str, score: float, threshold: Threshold | None, windows: int = 1, *, multi_label: bool = False
) -> bool:
    """Whether a score reaches the threshold of its label; always without a threshold."""
    return threshold is None or score >= least_score(label, threshold, windows, multi_label=multi_label)


def named_labels(
    ranked: Sequence[tuple[str, float]], threshold: Threshold | None, windows: int = 1, *, multi_label: bool = False
) -> tuple[tuple[str, float], ...]:
    """The labels that reach their threshold, from labels and scores, best first; none means `unknown`.

    Without a threshold the whole ranking is returned. `windows`: number of windows that the scores are the mean of.
    """
    if threshold is None:
        return tuple(ranked)
    return tuple(
        (label, score)
        for label, score in (ranked if multi_label else ranked[:1])
        if reaches(label, score, threshold, windows, multi_label=multi_label)
    )


def decide(
    scores: Mapping[str, float], threshold: Threshold | None, windows: int = 1, *, multi_label: bool = False
) -> list[str]:
    """The labels of a sound, best first: one of exclusive classes, any number of several labels, or `unknown`.

    `scores`: best first. Without a threshold: the best class, or all labels with at least 0.5.
    """
    if threshold is None and multi_label:
        threshold = SEVERAL_LABELS_ON
    labels = [label for label, _ in named_labels(list(scores.items()), threshold, windows, multi_label=multi_label)]
    return (labels if multi_label else labels[:1]) or [UNKNOWN]
