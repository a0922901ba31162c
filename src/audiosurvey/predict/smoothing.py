"""Scores of windows, made steadier by their neighbours: a moving mean or median, in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from audiosurvey.errors import UserError
from audiosurvey.predict.stream import WindowScores


@dataclass(frozen=True, slots=True)
class Smoothing:
    """`width` windows, an odd number, around each; at the ends of a sound as many of them as there are."""

    width: int = 1
    kind: Literal["mean", "median"] = "mean"

    @classmethod
    def parse(cls, text: str) -> "Smoothing":
        """`5` or `mean:5` or `median:5`. Raises UserError for anything else."""
        kind, _, number = text.rpartition(":")
        if kind not in ("", "mean", "median") or not number.isdecimal() or int(number) % 2 == 0:
            raise UserError(f"--smooth {text}: expected an odd number of windows, such as 5, or median:5")
        return cls(int(number), "median" if kind == "median" else "mean")

    def apply(self, windows: Iterable[WindowScores]) -> Iterator[WindowScores]:
        """The windows with smoothed scores, each as soon as the half width behind it is known."""
        if self.width == 1:
            yield from windows
            return
        half = self.width // 2
        near: deque[WindowScores] = deque(maxlen=self.width)
        seen = given = 0
        for window in windows:
            near.append(window)
            seen += 1
            if seen > half:
                yield self._at(near, given, seen)
                given += 1
        while given < seen:
            yield self._at(near, given, seen)
            given += 1

    def _at(self, near: deque[WindowScores], number: int, seen: int) -> WindowScores:
        """Window `number`, counted from the first of the sound; `near` ends with window `seen` - 1."""
        first = seen - len(near)
        half = self.width // 2
        around = [window.score_K for place, window in enumerate(near, first) if abs(place - number) <= half]
        rows_NK = np.stack(around)
        smoothed_K = np.median(rows_NK, axis=0) if self.kind == "median" else rows_NK.mean(axis=0)
        behind = sum(window.windows for place, window in enumerate(near, first) if abs(place - number) <= half)
        return replace(near[number - first], score_K=smoothed_K.astype(rows_NK.dtype), windows=behind)
