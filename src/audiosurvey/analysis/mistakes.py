"""The worst mistakes of a run: test clips for which a wrong class has the highest score, the most confident first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiosurvey.runs.results.predictions import PredictionTable
from audiosurvey.training.class_metrics import THRESHOLD


@dataclass(frozen=True, slots=True)
class Mistake:
    """A test clip whose highest score belongs to a class that it does not have."""

    clip: str
    fold: int
    labels: tuple[str, ...]
    chosen: str
    """The class with the highest score."""
    score: float
    """Its uncalibrated score."""


def worst_mistakes(tables: Sequence[PredictionTable], most: int, *, multi_label: bool = False) -> list[Mistake]:
    """At most `most` mistakes, sorted by the score of the wrong class.

    `multi_label`: a class below the threshold is not predicted, so it is no mistake.
    """
    found: list[Mistake] = []
    for table in tables:
        best_N = table.scores_NK.argmax(axis=1)
        rows_N = np.arange(len(best_N))
        wrong_N = ~table.truth_NK[rows_N, best_N]
        if multi_label:
            wrong_N &= table.scores_NK[rows_N, best_N] >= THRESHOLD
        for row in np.flatnonzero(wrong_N):
            labels = tuple(table.classes[k] for k in np.flatnonzero(table.truth_NK[row]))
            chosen, score = int(best_N[row]), float(table.scores_NK[row, best_N[row]])
            fold = int(table.folds_N[row])
            found.append(Mistake(table.clips[row], fold, labels, table.classes[chosen], score))
    return sorted(found, key=lambda one: (-one.score, one.clip))[:most]
