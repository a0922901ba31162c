"""Shift: the clip starts earlier or later, by a fractional number of samples. Works on waveforms (B, S).

Samples moved out of the window are lost, and the gap is filled with silence.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import fast_length, on_device, windows

SPILL_SAMPLES = 512
"""Zero padding during the fractional delay, so that ringing does not wrap around."""


class ShiftConfig(OperationConfig):
    """Shifts the clip in time; the gap is filled with silence."""

    max_s: float = Field(default=0.1, gt=0)
    """Maximum shift in seconds, in either direction; drawn uniformly, with fractions of a sample."""


@dataclass(frozen=True, slots=True)
class ShiftDraw:
    shift_samples: float
    """Positive: to a later time."""

    @property
    def whole(self) -> int:
        return math.floor(self.shift_samples + 0.5)

    @property
    def fraction(self) -> float:
        """The remainder, in [-0.5, 0.5)."""
        return self.shift_samples - self.whole


class Shift(WaveOperation[ShiftConfig, ShiftDraw]):
    """Shifts each clip by a drawn time.

    Source: `tshift` of EAT (arXiv 2204.11479): up to 0.1 s in steps of two samples, and separately up to half a sample;
    here one number is drawn for both.
    """

    name = "shift"

    def __init__(self, config: ShiftConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.max_samples = config.max_s * sample_rate

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> ShiftDraw:
        bound = min(self.max_samples, extent.size)
        return ShiftDraw(float(rng.uniform(-bound, bound)))

    def render(self, wave_BS: Tensor, draws: list[ShiftDraw], valid: list[int]) -> Tensor:
        finely_BS = delayed_by_fractions(wave_BS, [draw.fraction for draw in draws])
        samples = wave_BS.shape[1]
        return windows(pad(finely_BS, (samples, samples)), [samples - draw.whole for draw in draws], samples)

    def extent_after(self, draw: ShiftDraw, extent: Extent) -> Extent:
        if extent.is_parted:
            return extent
        return Extent.between(extent.first + draw.whole, extent.end + draw.whole, extent.size)


def delayed_by_fractions(wave_BS: Tensor, fractions: list[float]) -> Tensor:
    """Waves delayed by fractions (B) of a sample.

    A delay d multiplies frequency f, in cycles per sample, by exp(-2 pi i f d); the component at half the sample rate
    is attenuated to cos(pi d).
    """
    samples = wave_BS.shape[1]
    length = fast_length(samples + SPILL_SAMPLES)
    frequency_N = torch.fft.rfftfreq(length, device=wave_BS.device)
    delay_B1 = on_device(fractions, wave_BS.device, wave_BS.dtype)[:, None]
    turn_BN = torch.polar(torch.ones_like(delay_B1), -2 * torch.pi * delay_B1 * frequency_N)
    return torch.fft.irfft(torch.fft.rfft(wave_BS, length) * turn_BN, length)[:, :samples]
