"""Time shift: the clip is cut at random points, and each part stretched or compressed; the whole keeps its
length.

Enters and leaves: waveforms (B, S). One continuous warp of the window's time axis, read off by band-limited
interpolation: nothing is cut apart, so nothing clicks. A part played faster also sounds higher, as on tape.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.interpolation import FRACTION_BITS, clips_at_once, interpolate
from audiosurvey.augmentation.tensors import on_device
from audiosurvey.section import Section

MIN_PARTS, MAX_PARTS = 2, 5
SLOWEST, FASTEST = 0.8, 1.25
"""Bounds of a part's speed: input samples to output samples. They are each other's inverse."""
SHORTEST_PART = 0.05
"""Share of the window that a part takes at least."""
SMALLEST_WINDOW = 400
"""Windows of fewer samples are too short to be cut into parts, and stay as they are."""


class TimeShiftConfig(Section):
    """Parts of the clip are stretched and compressed in time; the whole keeps its length."""

    p: Probability = 0.0
    """Chance that a clip is warped."""


@dataclass(frozen=True, slots=True)
class TimeShiftDraw:
    """Where the parts end, in samples of the clip as it came (`before`) and as it leaves (`after`), from 0 to
    S."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class TimeShift(WaveOperation[TimeShiftDraw]):
    """Warps the time axis of each clip by its own piecewise linear map."""

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
        # Scaling all stretches to keep the total may push one out of bounds. Moving all of them towards 1 by
        # one common share keeps the total whatever that share is; the greatest admissible one is taken. The
        # bounds are drawn in by a sample a part, so that they still hold once the ends are whole samples.
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
    """Half the time over which the speed changes from part to part: 5 ms, less in a short window; a power of two."""
    return 1 << max(0, int(np.log2(max(1, min(0.005 * sample_rate, samples * SHORTEST_PART / 4)))))


def warp_positions(draws: list[TimeShiftDraw], samples: int, corner: int, device: torch.device) -> Tensor:
    """Where each output sample is read in the input, in units of 2^-FRACTION_BITS samples. Shape (B, S), int64.

    The map is piecewise linear; around each inner end the speed runs evenly from one value to the next, from
    `corner` samples before to `corner` samples after, which leaves the map outside of that stretch as it is.

    The way from sample m to m + 1 is the speed at m + 1/2. Along a change by D it grows by D / (2 corner) a
    sample, and by half of that at either end. Those growths are in turn the running sum of four halves, two
    where the change begins and two where it ends; so the position is the threefold running sum of a few
    numbers, whole and exact.
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
