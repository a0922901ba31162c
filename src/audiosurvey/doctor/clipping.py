"""Samples cut off at full scale.

Enters: a sound in blocks of any size; leaves: the number of samples in flat tops, or beyond full scale. A flat top may
span blocks, so that the size of the blocks changes nothing.
"""

import numpy as np

_FULL_SCALE = 0.98
STEP = 2.0**-15
"""One step of 16 bits: samples of a flat top lie within it."""
_RUN = 3
_REACH = _RUN - 1
"""Whether a sample is part of a flat top shows in so many samples before and behind it."""


class Clipping:
    """Counts samples in flat tops: at least three in a row at full scale, and alike; and any beyond full scale."""

    def __init__(self, channels: int) -> None:
        self._held_SC = np.zeros((0, channels), np.float32)
        self._counted = 0
        """So many of the held samples are counted already, and are held for those behind them."""
        self.samples = 0

    def add(self, x_SC: np.ndarray) -> None:
        """The next block, float32 (S, C)."""
        x_SC = np.concatenate([self._held_SC, x_SC])
        end = max(self._counted, len(x_SC) - _REACH)
        self._count(x_SC, end)
        first = max(0, end - _REACH)
        self._held_SC, self._counted = x_SC[first:].copy(), end - first

    def finish(self) -> None:
        """The sound has ended."""
        self._count(self._held_SC, len(self._held_SC))
        self._counted = len(self._held_SC)

    def _count(self, x_SC: np.ndarray, end: int) -> None:
        if len(x_SC) and max(float(x_SC.max()), -float(x_SC.min())) >= _FULL_SCALE:
            self.samples += int(np.count_nonzero(_tops(x_SC)[self._counted : end]))


def _tops(x_SC: np.ndarray) -> np.ndarray:
    """Whether each sample is cut off, (S, C)."""
    high_SC = np.abs(x_SC) >= _FULL_SCALE
    flat_SC = high_SC[1:] & high_SC[:-1] & (np.abs(np.diff(x_SC, axis=0)) <= STEP)
    # Both ends of two flat steps in a row, and all between them.
    pair_SC = flat_SC[1:] & flat_SC[:-1]
    top_SC = np.abs(x_SC) > 1.0
    for shift in range(_RUN):
        top_SC[shift : shift + len(pair_SC)] |= pair_SC
    return top_SC
