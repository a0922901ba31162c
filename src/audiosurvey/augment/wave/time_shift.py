"""Time shift: parts of the clip are stretched or compressed; the total length stays. Works on waveforms (B, S).

A continuous, piecewise linear warp of the time axis by band-limited interpolation, so that nothing clicks. Faster parts
also sound higher, as on tape. The speeds of the parts are fractions of small denominators, which are read as matrix
products.
"""

from functools import cache

import numpy as np
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.resampling import LARGEST_DENOMINATOR
from audiosurvey.augment.wave.warp import TimeShiftDraw, warp

MIN_PARTS, MAX_PARTS = 2, 5
SLOWEST, FASTEST = 0.8, 1.25
"""Bounds of the speed of a part, in input samples per output sample."""
SHORTEST_PART = 0.05
"""Minimum length of a part relative to the window."""
SMALLEST_WINDOW = 400
"""Shorter windows, in samples, are not changed."""


class TimeShiftConfig(OperationConfig):
    """Time warping: stretches and compresses parts of the clip; the total length stays the same."""


class TimeShift(WaveOperation[TimeShiftConfig, TimeShiftDraw]):
    """Warps the time axis of each clip by a drawn piecewise linear map."""

    name = "time_shift"

    def __init__(self, config: TimeShiftConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.sample_rate = sample_rate

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> TimeShiftDraw:
        samples, parts = extent.size, int(rng.integers(MIN_PARTS, MAX_PARTS + 1))
        shares = SHORTEST_PART + (1 - parts * SHORTEST_PART) * rng.dirichlet(np.ones(parts))
        stretch = np.exp(rng.uniform(np.log(SLOWEST), np.log(FASTEST), parts))
        if samples < SMALLEST_WINDOW:
            return TimeShiftDraw((0, samples), (0, samples))
        lengths = shares * samples
        # Normalising the stretches to the total length may push one out of bounds. Moving all of them towards 1 by a
        # common share keeps the total; the largest admissible share is used.
        change = stretch * samples / (stretch @ lengths) - 1
        room = np.where(change > 0, FASTEST - 1, 1 - SLOWEST) - 1e-9
        share = min(1.0, float(np.min(room / np.maximum(np.abs(change), 1e-12))))
        lengths, new_lengths = with_rational_speeds(lengths, lengths * (1 + share * change))
        before, after = (np.cumsum(part)[:-1].tolist() for part in (lengths, new_lengths))
        return TimeShiftDraw((0, *before, samples), (0, *after, samples))

    def render(self, wave_BS: Tensor, draws: list[TimeShiftDraw], valid: list[int]) -> Tensor:
        return warp(wave_BS, draws, corner_samples(self.sample_rate, wave_BS.shape[1]))

    def extent_after(self, draw: TimeShiftDraw, extent: Extent) -> Extent:
        last = extent.first + extent.length - (extent.size if extent.is_parted else 0)
        first, end = (round(float(np.interp(place, draw.before, draw.after))) for place in (extent.first, last))
        if extent.is_parted:
            return Extent(first, extent.size - first + end, extent.size)
        return Extent.between(first, end, extent.size)

    def describe(self, draw: TimeShiftDraw) -> dict[str, object]:
        return {
            "ends_before_s": [end / self.sample_rate for end in draw.before],
            "ends_after_s": [end / self.sample_rate for end in draw.after],
        }


def corner_samples(sample_rate: int, samples: int) -> int:
    """Half the duration of a speed transition: 5 ms, less in a short window; a power of two."""
    return 1 << max(0, int(np.log2(max(1, min(0.005 * sample_rate, samples * SHORTEST_PART / 4)))))


@cache
def rational_speeds() -> np.ndarray:
    """The speeds that are drawn, in rising order: all fractions of a small denominator between the bounds, except 1, so
    that no part is left without a change that others could balance."""
    denominators = range(1, LARGEST_DENOMINATOR + 1)
    speeds = {numerator / below for below in denominators for numerator in range(1, 2 * below)} - {1.0}
    return np.array(sorted(speed for speed in speeds if SLOWEST < speed < FASTEST))


def with_rational_speeds(lengths: np.ndarray, new_lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the parts before and after, changed so that each speed is the nearest of `rational_speeds`.

    So that both totals stay, the fastest part gains what the slowest one loses. Unchanged if that would leave less of
    either than half the shortest part.
    """
    known = rational_speeds()
    at = np.searchsorted((known[1:] + known[:-1]) / 2, lengths / new_lengths)
    speeds, total = known[at], new_lengths.sum()
    fastest, slowest = speeds.argmax(), speeds.argmin()
    if fastest == slowest:
        return lengths, new_lengths
    moved = (speeds @ new_lengths - total) / (speeds[fastest] - speeds[slowest])
    rounded = new_lengths.copy()
    rounded[fastest] -= moved
    rounded[slowest] += moved
    if rounded.min() < total * SHORTEST_PART / 2:
        return lengths, new_lengths
    return rounded * speeds, rounded
