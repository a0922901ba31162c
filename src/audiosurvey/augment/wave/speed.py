"""Speed: the clip is resampled to another speed and pitch, as on tape. Works on waveforms (B, S).

A slower clip is cut off at the end of the window, a faster one is followed by silence.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.factor import Factor, FactorConfig
from audiosurvey.augment.interpolation import FRACTION_BITS, PHASES, clips_at_once, interpolate, padded, read
from audiosurvey.augment.resampling import LARGEST_DENOMINATOR, as_rational, read_rows
from audiosurvey.augment.tensors import at_rows, fast_length, on_device

PASSED = 0.9
"""Fraction of the band that the anti-aliasing filter passes unchanged."""
SPILL_SAMPLES = 512
"""Zero padding while filtering, so that ringing does not wrap around."""

FILTERED_AT_ONCE = 8
"""Clips whose spectra are filtered together on a CPU, where transforms of single clips take several times as long."""


class SpeedConfig(FactorConfig):
    """Plays the clip at another speed, which also changes its pitch."""

    min: Factor = 0.8
    """One bound of the speed (1: unchanged, 2: twice as fast and an octave higher); drawn log-uniformly between both
    bounds, in either order."""
    max: Factor = 1.25
    """The other bound."""
    values: Annotated[list[Factor], Field(min_length=1)] | None = None
    """Draw one of these speeds instead; null for the range between the bounds."""


@dataclass(frozen=True, slots=True)
class SpeedDraw:
    speed: float
    """Input samples per output sample."""


class Speed(WaveOperation[SpeedConfig, SpeedDraw]):
    """Resamples each clip by a drawn factor. Drawn speeds are rounded to fractions p / q with q up to 64, those of
    `values` are used as they are.

    Source: EAT (arXiv 2204.11479), where a batch is resampled to 0.8, 0.9, 1.1 or 1.2 times its length (1.25, 1.111,
    0.909 or 0.833 times its speed); here each clip has its own speed.
    """

    name = "speed"

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> SpeedDraw:
        if self.config.values is not None:
            return SpeedDraw(self.config.values[int(rng.integers(len(self.config.values)))])
        return SpeedDraw(self._rounded(self.config.draw(rng)))

    def _rounded(self, speed: float) -> float:
        """The nearest fraction of a small denominator, which is read faster, unless it is out of bounds."""
        low, high = sorted((self.config.min, self.config.max))
        nearest = float(Fraction(speed).limit_denominator(LARGEST_DENOMINATOR))
        return nearest if low <= nearest <= high else speed

    def render(self, wave_BS: Tensor, draws: list[SpeedDraw], valid: list[int]) -> Tensor:
        device = wave_BS.device
        clips = FILTERED_AT_ONCE if device.type == "cpu" else clips_at_once(device, wave_BS.shape[1])
        speeds = [draw.speed for draw in draws]
        parts = [
            replay(wave_BS[first : first + clips], speeds[first : first + clips])
            for first in range(0, len(draws), clips)
        ]
        return torch.cat(parts)

    def extent_after(self, draw: SpeedDraw, extent: Extent) -> Extent:
        if extent.is_parted:
            return extent
        return Extent.between(int(extent.first / draw.speed), ceil(extent.end / draw.speed), extent.size)


def replay(wave_BS: Tensor, speeds: list[float]) -> Tensor:
    """Waves at these speeds (B), followed by silence where they are faster."""
    unfolded_BS = without_folding(wave_BS, speeds)
    if wave_BS.device.type != "cpu":
        return _interpolated(unfolded_BS, speeds)
    played_BS = torch.empty_like(wave_BS)
    for row, speed in enumerate(speeds):
        fraction = as_rational(speed, wave_BS.shape[1])
        if fraction is None:
            played_BS[row] = _interpolated(unfolded_BS[row : row + 1], [speed])[0]
        else:
            _read_in_rows(unfolded_BS[row : row + 1], fraction, played_BS[row])
    return played_BS


def _interpolated(wave_BS: Tensor, speeds: list[float]) -> Tensor:
    samples, device = wave_BS.shape[1], wave_BS.device
    steps_B1 = on_device([[round(speed * 2**FRACTION_BITS)] for speed in speeds], device)
    positions_BS = torch.arange(samples, device=device) * steps_B1
    return torch.where(positions_BS < samples << FRACTION_BITS, interpolate(wave_BS, positions_BS), 0.0)


def _read_in_rows(wave_1S: Tensor, speed: Fraction, out_S: Tensor) -> None:
    """Whole rows by matrix products, the samples after them by interpolation, silence after the end of the wave."""
    padded_1N = padded(wave_1S)
    end = min(len(out_S), ceil(len(out_S) / speed))
    done = read_rows(padded_1N[0], 0.0, speed, out_S[:end])
    if done < end:
        numerators = torch.arange(done, end) * speed.numerator
        places = numerators // speed.denominator
        phases = ((numerators % speed.denominator) * PHASES + speed.denominator // 2) // speed.denominator
        out_S[done:end] = read(padded_1N, places, phases)
    out_S[end:] = 0


def without_folding(wave_BS: Tensor, speeds: list[float]) -> Tensor:
    """Anti-aliasing: removes what would be above half the sample rate at these speeds (B). Speeds up to 1 change
    nothing."""
    hastened = [row for row, speed in enumerate(speeds) if speed > 1]
    return at_rows(wave_BS, hastened, lambda part_BS: _below_half_the_rate(part_BS, [speeds[row] for row in hastened]))


def _below_half_the_rate(wave_BS: Tensor, speeds: list[float]) -> Tensor:
    samples, device = wave_BS.shape[1], wave_BS.device
    length = fast_length(samples + SPILL_SAMPLES)
    # Relative to half the sample rate: a component at 1 / speed ends up at 1.
    share_N = torch.linspace(0, 1, length // 2 + 1, device=device)
    heard_BN = share_N * on_device([[speed] for speed in speeds], device)
    fade_BN = ((1 - heard_BN) / (1 - PASSED)).clamp(0, 1)
    gain_BN = 0.5 - 0.5 * torch.cos(torch.pi * fade_BN)
    return torch.fft.irfft(torch.fft.rfft(wave_BS, length) * gain_BN, length)[:, :samples]
