"""Time shift: parts of the clip are stretched or compressed; the total length stays. Works on waveforms (B, S).

A continuous, piecewise linear warp of the time axis by band-limited interpolation, so that nothing clicks. Faster parts
also sound higher, as on tape.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augmentation.base import WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.interpolation import FRACTION_BITS, clips_at_once, interpolate
from audiosurvey.augmentation.operation_config import OperationConfig
from audiosurvey.augmentation.tensors import on_device

MIN_PARTS, MAX_PARTS = 2, 5
SLOWEST, FASTEST = 0.8, 1.25
"""Bounds of the speed of a part, in input samples per output sample."""
SHORTEST_PART = 0.05
"""Minimum length of a part relative to the window."""
SMALLEST_WINDOW = 400
"""Shorter windows, in samples, are not changed."""


class TimeShiftConfig(OperationConfig):
    """Time warping: stretches and compresses parts of the clip; the total length stays the same."""


@dataclass(frozen=True, slots=True)
class TimeShiftDraw:
    """Boundaries of the parts in samples of the input (`before`) and the output (`after`), from 0 to S."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class TimeShift(WaveOperation[TimeShiftDraw]):
    """Warps the time axis of each clip by a drawn piecewise linear map."""

    name = "time_shift"

    def __init__(self, config: TimeShiftConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        self.sample_rate = sample_rate

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> TimeShiftDraw:
        parts = int(rng.integers(MIN_PARTS, MAX_PARTS + 1))
        shares = SHORTEST_PART + (1 - parts * SHORTEST_PART) * rng.dirichlet(np.ones(parts))
        stretch = np.exp(rng.uniform(np.log(SLOWEST), np.log(FASTEST), parts))
        if samples < SMALLEST_WINDOW:
            return TimeShiftDraw((0, samples), (0, samples))
        before = np.rint(np.cumsum(shares) * samples).astype(int)
        lengths = np.diff(before, prepend=0)
        # Normalising the stretches to the total length may push one out of bounds. Moving all of them towards 1 by a
        # common share keeps the total; the largest admissible share is used. The bounds are tightened by one sample
        # per part, so that they hold after rounding.
        change = stretch * samples / (stretch @ lengths) - 1
        room = np.where(change > 0, FASTEST - 1 - 1 / lengths, 1 - SLOWEST - 1 / lengths)
        share = min(1.0, float(np.min(room / np.maximum(np.abs(change), 1e-12))))
        after = np.rint(np.cumsum(lengths * (1 + share * change))).astype(int)
        return TimeShiftDraw((0, *before.tolist()), (0, *after.tolist()))

    def render(self, wave_BS: Tensor, draws: list[TimeShiftDraw], valid: list[int]) -> Tensor:
        samples, device = wave_BS.shape[1], wave_BS.device
        corner = corner_samples(self.sample_rate, samples)
        clips = clips_at_once(device, samples)
        warped_BS = torch.empty_like(wave_BS)
        for first in range(0, len(draws), clips):
            part = slice(first, first + clips)
            warped_BS[part] = interpolate(wave_BS[part], warp_positions(draws[part], samples, corner, device))
        return warped_BS

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


def warp_positions(draws: list[TimeShiftDraw], samples: int, corner: int, device: torch.device) -> Tensor:
    """Input position of each output sample (B, S), int64, in units of 2^-FRACTION_BITS samples.

    The map is piecewise linear; around each inner boundary the speed changes linearly over 2 `corner` samples, which
    leaves the map elsewhere unchanged.

    The step from sample m to m + 1 is the speed at m + 1/2. During a change by D it grows by D / (2 corner) per sample,
    and by half of that at both ends; this growth is the cumulative sum of two impulses at either end. So the position
    is a threefold cumulative sum of a few integers, and exact.
    """
    rows, places, halves = [], [], []
    starts = []
    for row, draw in enumerate(draws):
        speed = np.diff(draw.before) / np.diff(draw.after)
        starts.append(round(speed[0] * 2**FRACTION_BITS))
        for end, change in zip(draw.after[1:-1], np.diff(speed), strict=True):
            half = round(change * 2**FRACTION_BITS / (4 * corner))
            rows += [row] * 4
            places += [end - corner, end - corner + 1, end + corner, end + corner + 1]
            halves += [half, half, -half, -half]
    where = (
        on_device(rows, device, torch.int64),
        on_device(places, device, torch.int64),
    )
    growth_BS = torch.zeros(len(draws), samples, dtype=torch.int64, device=device)
    growth_BS.index_put_(where, on_device(halves, device, torch.int64), accumulate=True)
    speed_BS = growth_BS.cumsum(1).cumsum(1) + on_device(starts, device)[:, None]
    return speed_BS.cumsum(1) - speed_BS
