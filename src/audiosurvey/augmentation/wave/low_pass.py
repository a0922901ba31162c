"""Low-pass: frequencies above a drawn cut-off are removed, as by a lower sample rate, a telephone or a wall.

Enters and leaves: waveforms (B, S). The filter has zero phase and a raised-cosine edge, applied to the spectrum of the
whole window.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.tensors import fast_length, on_device
from audiosurvey.section import Section

EDGE = 0.1
"""Width of the edge as a share of the cut-off: the gain falls from 1 at 0.9 of the cut-off to 0 at the cut-off."""
_RINGING_S = 0.1
"""Zeros behind the window, so that the filter's ringing does not wrap from one end to the other."""


class LowPassConfig(Section):
    """Frequencies above a cut-off are removed."""

    p: Probability = 0.0
    """Chance that a clip is filtered."""
    min_hz: float = 2500.0
    """One bound of the cut-off in Hz; drawn between the two, in either order, with each octave equally likely."""
    max_hz: float = 8000.0
    """The other bound in Hz. A cut-off at or above half the sample rate removes nothing."""

    @field_validator("min_hz", "max_hz")
    @classmethod
    def _audible(cls, hz: float) -> float:
        if hz < 20:
            raise ValueError(f"a cut-off of {hz:g} Hz leaves nothing to hear; expected 20 Hz or more")
        return hz


@dataclass(frozen=True, slots=True)
class LowPassDraw:
    cutoff_hz: float


class LowPass(WaveOperation[LowPassDraw]):
    """Removes what lies above each clip's own cut-off."""

    name = "low_pass"

    def __init__(self, config: LowPassConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        self.sample_rate = sample_rate
        low_hz, high_hz = sorted((config.min_hz, config.max_hz))
        self.bounds = (log(low_hz), log(high_hz))

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> LowPassDraw:
        return LowPassDraw(exp(rng.uniform(*self.bounds)))

    def render(self, wave_BS: Tensor, draws: list[LowPassDraw], valid: list[int]) -> Tensor:
        samples = wave_BS.shape[1]
        length = fast_length(samples + round(_RINGING_S * self.sample_rate))
        cutoff_B1 = on_device([[draw.cutoff_hz] for draw in draws], wave_BS.device)
        # Half the sample rate bounds every signal: a cut-off there has no edge.
        cutoff_B1 = torch.where(cutoff_B1 >= self.sample_rate / 2, self.sample_rate, cutoff_B1)
        hz_N = torch.arange(length // 2 + 1, device=wave_BS.device) * (self.sample_rate / length)
        # 0 below the edge, 1 above it.
        along_BN = ((hz_N / cutoff_B1 - (1 - EDGE)) / EDGE).clamp(0, 1)
        gain_BN = 0.5 + 0.5 * torch.cos(torch.pi * along_BN)
        return torch.fft.irfft(torch.fft.rfft(wave_BS, length).mul_(gain_BN), length)[:, :samples]
