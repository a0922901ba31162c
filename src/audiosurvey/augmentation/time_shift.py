"""Time shift: the clip is cut at random points, and each part stretched or compressed; the whole keeps its
length.

Enters and leaves: waveforms (B, S). One continuous warp of the window's time axis, read off by band-limited
interpolation: nothing is cut apart, so nothing clicks. A part played faster also sounds higher, as on tape.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.section import Section

MIN_PARTS, MAX_PARTS = 2, 5
SLOWEST, FASTEST = 0.8, 1.25
"""Bounds of a part's speed: input samples to output samples. They are each other's inverse."""
SHORTEST_PART = 0.05
"""Share of the window that a part takes at least."""
SMALLEST_WINDOW = 400
"""Windows of fewer samples are too short to be cut into parts, and stay as they are."""
TAPS = 16
PHASES = 2048
KAISER_BETA = 7.0
FRACTION_BITS = 36
"""Positions are integers in units of 2^-36 samples: exact, and alike on every device."""
MAPPED_AT_ONCE = {"cpu": 2**18}
"""Output samples, in whole clips, whose positions are worked out together; elsewhere than on the CPU 2^23."""
READ_AT_ONCE = {"cpu": 2**14}
"""Output samples that are interpolated together: each needs TAPS inputs and TAPS weights, which stay in the cache."""


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
        clips = max(1, MAPPED_AT_ONCE.get(device.type, 2**23) // samples)
        warped_BS = torch.empty_like(wave_BS)
        for first in range(0, len(draws), clips):
            part = slice(first, first + clips)
            warped_BS[part] = interpolate(wave_BS[part], warp_positions(draws[part], samples, corner, device))
        return warped_BS

    def valid_after(self, draw: TimeShiftDraw, samples: int, valid: int) -> int:
        return round(float(np.interp(valid, draw.before, draw.after)))

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
        torch.tensor(rows, dtype=torch.int64, device=device),
        torch.tensor(places, dtype=torch.int64, device=device),
    )
    growth_BS = torch.zeros(len(draws), samples, dtype=torch.int64, device=device)
    growth_BS.index_put_(where, torch.tensor(halves, dtype=torch.int64, device=device), accumulate=True)
    speed_BS = growth_BS.cumsum(1).cumsum(1) + torch.tensor(starts, device=device)[:, None]
    return speed_BS.cumsum(1) - speed_BS


def interpolate(wave_BS: Tensor, positions_BS: Tensor) -> Tensor:
    """The waves at fractional positions, by a Kaiser-windowed sinc of TAPS samples; silence beyond the window.

    Up to 0.35 of the sample rate the error is below -60 dB. Sounds above 0.4 of it that are played faster
    than 1 fold back, but not below 0.375.
    """
    batch, samples = wave_BS.shape
    padded = pad(wave_BS, (TAPS // 2 - 1, TAPS)).reshape(-1)
    inputs = padded.unfold(0, TAPS, 1)
    kernels = kernel_table(wave_BS.device)
    row_starts = torch.arange(batch, device=wave_BS.device)[:, None] * (len(padded) // batch)
    places_BS = (positions_BS >> FRACTION_BITS).clamp_(0, samples - 1) + row_starts
    drop = FRACTION_BITS - (PHASES.bit_length() - 1)
    phases_BS = (positions_BS & (2**FRACTION_BITS - 1)) + 2 ** (drop - 1) >> drop
    chunk = READ_AT_ONCE.get(wave_BS.device.type, 2**23)
    parts = [
        inputs.index_select(0, places).mul_(kernels.index_select(0, phases)).sum(1)
        for places, phases in zip(places_BS.reshape(-1).split(chunk), phases_BS.reshape(-1).split(chunk), strict=True)
    ]
    return torch.cat(parts).view(batch, samples)


@lru_cache(maxsize=8)
def kernel_table(device: torch.device) -> Tensor:
    """Interpolation kernels: row i reads the signal i / PHASES samples after the middle. Shape (PHASES + 1, TAPS)."""
    offset = np.arange(TAPS) - (TAPS // 2 - 1) - np.arange(PHASES + 1)[:, None] / PHASES
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (offset / (TAPS / 2)) ** 2, 0, None)))
    kernel = np.sinc(offset) * window
    return torch.from_numpy((kernel / kernel.sum(1, keepdims=True)).astype(np.float32)).to(device)
