"""The score of a sound from those of its windows, in evaluation and prediction.

It is the mean of the uncalibrated probabilities. Calibration comes after the mean, so that it never changes the ranking
of classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


class WindowMean:
    """Running mean over the windows of one sound, in constant memory."""

    def __init__(self) -> None:
        self._total_K: np.ndarray | None = None
        self._count = 0
        self.windows = 0
        """Number of model windows in the mean."""

    def add(self, score_K: np.ndarray, windows: int = 1) -> None:
        """Adds a score that is itself a mean over `windows` model windows."""
        wide_K = np.asarray(score_K, dtype=np.float64)
        self._total_K = wide_K if self._total_K is None else self._total_K + wide_K
        self._count += 1
        self.windows += windows

    def value(self) -> np.ndarray:
        """The mean (K), float32, of at least one window."""
        assert self._total_K is not None, "a sound has at least one window"
        return (self._total_K / self._count).astype(np.float32)


@dataclass(frozen=True)
class ScoredWindows:
    """Uncalibrated probabilities of the windows of N sounds, in order."""

    scores_WK: np.ndarray
    counts_N: np.ndarray
    """Number of windows of each sound, at least 1."""

    @classmethod
    def single(cls, scores_NK: np.ndarray) -> "ScoredWindows":
        """Sounds with one window each."""
        return cls(scores_NK, np.ones(len(scores_NK), dtype=np.int64))

    @classmethod
    def join(cls, parts: Iterable["ScoredWindows"]) -> "ScoredWindows":
        """Concatenates the sounds of all parts."""
        listed = list(parts)
        return cls(
            np.concatenate([part.scores_WK for part in listed]), np.concatenate([part.counts_N for part in listed])
        )

    def __len__(self) -> int:
        return len(self.counts_N)

    @property
    def rows_W(self) -> np.ndarray:
        """Index of the sound of each window."""
        return np.repeat(np.arange(len(self)), self.counts_N)

    @cached_property
    def sounds_NK(self) -> np.ndarray:
        """The score of each sound, float32."""
        ends = np.cumsum(self.counts_N)
        return np.stack([_mean(rows_WK) for rows_WK in np.split(self.scores_WK, ends[:-1])])


def _mean(scores_WK: np.ndarray) -> np.ndarray:
    mean = WindowMean()
    for score_K in scores_WK:
        mean.add(score_K)
    return mean.value()
