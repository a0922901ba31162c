"""From calibrated scores to words: the labels that an answer names, or `unknown`.

With exclusive classes an answer is the best class, or `unknown` where that class does not reach its threshold: never a
lower class, never two. Where a clip may have several labels, each is named by its own threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

UNKNOWN = "unknown"
"""The answer where no class reaches its threshold."""
SEVERAL_LABELS_ON = 0.5
"""Several labels a clip: the threshold of a label that has none of its own."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A model's own thresholds by label, for the two kinds of scores."""

    window: Mapping[str, float] = field(default_factory=dict)
    """For the score of a single window."""
    sound: Mapping[str, float] = field(default_factory=dict)
    """For the mean of several windows."""

    def of(self, windows: int) -> Mapping[str, float]:
        """Those for a score that is the mean of so many windows."""
        return self.window if windows == 1 else self.sound


Threshold = float | Mapping[str, float] | Thresholds
"""One for all labels, or one for each."""


def least_score(label: str, threshold: Threshold, windows: int = 1, *, multi_label: bool = False) -> float:
    """The score from which on `label` is named. With exclusive classes, one without a threshold always may be."""
    if isinstance(threshold, Thresholds):
        threshold = threshold.of(windows)
    if not isinstance(threshold, Mapping):
        return threshold
    return threshold.get(label, SEVERAL_LABELS_ON if multi_label else 0.0)


def reaches(
    label: str, score: float, threshold: Threshold | None, windows: int = 1, *, multi_label: bool = False
) -> bool:
    """Whether a score is high enough for its label; without a threshold every score is."""
    return threshold is None or score >= least_score(label, threshold, windows, multi_label=multi_label)


def named(
    ranked: Sequence[tuple[str, float]], threshold: Threshold | None, windows: int = 1, *, multi_label: bool = False
) -> tuple[tuple[str, float], ...]:
    """The labels that an answer names, of labels with scores in their order, best first; none: `unknown`.

    Without a threshold nothing is claimed, and the whole ranking is given. `windows`: of how many windows the scores
    are the mean.
    """
    if threshold is None:
        return tuple(ranked)
    candidates = ranked if multi_label else ranked[:1]
    return tuple(
        (label, score)
        for label, score in candidates
        if reaches(label, score, threshold, windows, multi_label=multi_label)
    )


def decide(
    scores: Mapping[str, float], threshold: Threshold | None, windows: int = 1, *, multi_label: bool = False
) -> list[str]:
    """The labels that are said of a sound, best first, from its scores, best first: one of exclusive classes, any
    number of several labels, or `unknown` alone. Without a threshold: the best class; labels of at least 0.5.
    """
    if threshold is None and multi_label:
        threshold = SEVERAL_LABELS_ON
    said = named(list(scores.items()), threshold, windows, multi_label=multi_label)
    if not multi_label:
        said = said[:1]
    return [label for label, _ in said] or [UNKNOWN]
