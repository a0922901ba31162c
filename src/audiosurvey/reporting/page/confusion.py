"""The confusion matrix with the clips behind each of its cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiosurvey.runs.results.predictions import PredictionTable

MOST_CLASSES = 100
"""With more classes, the table would be too large for a page; the most frequent confusions are listed instead."""
_LISTED = 50


@dataclass(frozen=True)
class ConfusionCell:
    """Clips of one class that were taken for one class."""

    count: int
    share: float
    """Of the clips of the true class."""
    right: bool


@dataclass(frozen=True)
class Confusion:
    """The matrix, or with very many classes its largest cells off the diagonal."""

    rows: tuple[tuple[str, int, float | None, tuple[ConfusionCell, ...]], ...]
    """For each true class its name, clips, recall, and a cell for each predicted class; empty with many classes."""
    largest: tuple[tuple[int, int, int], ...]
    """True class, predicted class and count, the most frequent confusions first."""


def confusion_table(counts_KK: np.ndarray, classes: Sequence[str]) -> Confusion:
    """`counts_KK`: rows are true classes."""
    wrong_KK = counts_KK * ~np.eye(len(classes), dtype=bool)
    order = np.argsort(-wrong_KK, axis=None, kind="stable")[:_LISTED]
    places = [(int(place // len(classes)), int(place % len(classes))) for place in order]
    largest = tuple((i, j, int(counts_KK[i, j])) for i, j in places if wrong_KK[i, j])
    if len(classes) > MOST_CLASSES:
        return Confusion((), largest)
    rows = []
    for i, name in enumerate(classes):
        total = int(counts_KK[i].sum())
        cells = tuple(ConfusionCell(int(n), n / total if total else 0.0, i == j) for j, n in enumerate(counts_KK[i]))
        rows.append((name, total, counts_KK[i, i] / total if total else None, cells))
    return Confusion(tuple(rows), largest)


@dataclass(frozen=True)
class ListedClip:
    """A test clip in the lists behind the cells."""

    clip: str
    source: str | None
    fold: int
    true: int
    predicted: int
    score: float
    """Of the predicted class."""
    true_score: float

    def as_json(self, sound: int | None) -> list[Any]:
        """A short row, since a page may list thousands of them; `sound`: its number, if it is on the page."""
        scores = [round(self.score, 3), round(self.true_score, 3)]
        return [self.clip, self.source, self.fold, self.true, self.predicted, *scores, sound]


MOST_RIGHT = 10_000
"""Correct clips that are listed, so that a page does not grow with the data; mistakes are all listed."""


def listed_clips(tables: Sequence[PredictionTable], most_right: int) -> tuple[list[ListedClip], int]:
    """Test clips of one label each: mistakes first, each by falling score; and how many correct clips are left out.

    All mistakes are listed and, of `most_right` correct clips, those with the highest score.
    """
    found: list[ListedClip] = []
    for table in tables:
        true_N, best_N = table.truth_NK.argmax(axis=1), table.scores_NK.argmax(axis=1)
        for row, (clip, source) in enumerate(zip(table.clips, table.sources, strict=True)):
            true, best = int(true_N[row]), int(best_N[row])
            scores = (float(table.scores_NK[row, best]), float(table.scores_NK[row, true]))
            found.append(ListedClip(clip, source, int(table.folds_N[row]), true, best, *scores))
    ordered = sorted(found, key=lambda one: (one.true == one.predicted, -one.score, one.clip))
    wrong = sum(one.true != one.predicted for one in ordered)
    return ordered[: wrong + most_right], max(0, len(ordered) - wrong - most_right)
