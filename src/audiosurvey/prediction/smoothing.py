"""Moving mean or median over the scores of neighbouring windows, in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from audiosurvey.errors import ArgumentError
from audiosurvey.prediction.stream import WindowScores


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Smooth over `width` windows (an odd number) centred on each; fewer at the ends of a sound."""

    width: int = 1
    kind: Literal["mean", "median"] = "mean"

    @classmethod
    def parse(cls, text: str) -> "Smoothing":
        """Read `5`, `mean:5` or `median:5`. Raises UserError for anything else."""
        kind, _, number = text.rpartition(":")
        if kind not in ("", "mean", "median") or not number.isdecimal() or int(number) % 2 == 0:
            raise ArgumentError("{smooth}: expected an odd number of windows, such as 5, or median:5", smooth=text)
        return cls(int(number), "median" if kind == "median" else "mean")

    def apply(self, windows: Iterable[WindowScores]) -> Iterator[WindowScores]:
        """The windows with smoothed scores, each as soon as the half width after it is known."""
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
        """Window `number` of the sound, smoothed; `near` ends with window `seen` - 1."""
        first, half = seen - len(near), self.width // 2
        around = [window for place, window in enumerate(near, first) if abs(place - number) <= half]
        rows_NK = np.stack([window.score_K for window in around])
        smoothed_K = np.median(rows_NK, axis=0) if self.kind == "median" else rows_NK.mean(axis=0)
        windows = sum(window.windows for window in around)
        return replace(near[number - first], score_K=smoothed_K.astype(rows_NK.dtype), windows=windows)
