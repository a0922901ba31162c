"""Shift: the clip begins earlier or later, by whole samples and a fraction of one.

Enters and leaves: waveforms (B, S). What is moved out of the window is lost; what enters is silence.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor
from torch.nn.functional import pad

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.tensors import fast_length, on_device
from audiosurvey.section import Section

SPILL_SAMPLES = 512
"""Silence after the window while it is moved by a fraction, so that its end does not ring into its beginning."""


class ShiftConfig(Section):
    """The clip is moved in time; silence enters where it leaves."""

    p: Probability = 0.0
    """Chance that a clip is moved."""
    max_s: float = 0.1
    """Greatest shift in seconds, to either side; drawn evenly, down to fractions of a sample."""

    @field_validator("max_s")
    @classmethod
    def _moves(cls, seconds: float) -> float:
        if seconds <= 0:
            raise ValueError(f"the greatest shift is a time above 0 s; got {seconds:g}")
        return seconds


@dataclass(frozen=True, slots=True)
class ShiftDraw:
    shift_samples: float
    """Later by so many samples; negative: earlier."""

    @property
    def whole(self) -> int:
        return math.floor(self.shift_samples + 0.5)

    @property
    def fraction(self) -> float:
        """The rest, in [-0.5, 0.5)."""
        return self.shift_samples - self.whole


class Shift(WaveOperation[ShiftDraw]):
    """Moves each clip by its own time.

    Source: `tshift` of EAT (arXiv 2204.11479): up to 0.1 s in steps of two samples, and up to half a sample besides,
    which turns the phase of each frequency; here one number is drawn for both.
    """

    name = "shift"

    def __init__(self, config: ShiftConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        self.max_samples = config.max_s * sample_rate

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> ShiftDraw:
        bound = min(self.max_samples, samples)
        return ShiftDraw(float(rng.uniform(-bound, bound)))

    def render(self, wave_BS: Tensor, draws: list[ShiftDraw], valid: list[int]) -> Tensor:
        finely_BS = delayed_by_fractions(wave_BS, [draw.fraction for draw in draws])
        # A moved clip is a window of the clip between silences; all windows of all clips are one strided view.
        samples = wave_BS.shape[1]
        padded = pad(finely_BS, (samples, samples)).reshape(-1).unfold(0, samples, 1)
        starts = [3 * samples * row + samples - draw.whole for row, draw in enumerate(draws)]
        return padded.index_select(0, on_device(starts, wave_BS.device))

    def extent_after(self, draw: ShiftDraw, extent: Extent) -> Extent:
        if extent.is_parted:
            return extent
        return Extent.between(extent.first + draw.whole, extent.end + draw.whole, extent.size)


def delayed_by_fractions(wave_BS: Tensor, fractions: list[float]) -> Tensor:
    """The waves later by these parts of a sample (B).

    A delay d multiplies frequency f, in cycles a sample, by exp(-2 pi i f d). At half the rate the sign of a frequency
    is lost: what lies there is weakened to cos(pi d).
    """
    samples = wave_BS.shape[1]
    length = fast_length(samples + SPILL_SAMPLES)
    frequency_N = torch.fft.rfftfreq(length, device=wave_BS.device)
    delay_B1 = on_device(fractions, wave_BS.device, wave_BS.dtype)[:, None]
    turn_BN = torch.polar(torch.ones_like(delay_B1), -2 * torch.pi * delay_B1 * frequency_N)
    return torch.fft.irfft(torch.fft.rfft(wave_BS, length) * turn_BN, length)[:, :samples]
