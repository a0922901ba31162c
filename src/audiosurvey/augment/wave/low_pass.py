"""Low-pass filter, for lower sample rates, telephones and walls. Works on waveforms (B, S).

The filter is zero-phase with a raised-cosine transition band, applied to the spectrum of the whole window.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import fast_length, on_device

EDGE = 0.1
"""Width of the transition band relative to the cut-off: the gain falls from 1 at 0.9 of the cut-off to 0 at it."""
_RINGING_S = 0.1
"""Zero padding, so that the ringing of the filter does not wrap around."""


class LowPassConfig(OperationConfig):
    """Removes the frequencies above a cut-off."""

    min_hz: float = Field(default=2500.0, ge=20)
    """One bound of the cut-off in Hz; drawn log-uniformly between both bounds, in either order."""
    max_hz: float = Field(default=8000.0, ge=20)
    """The other bound in Hz. A cut-off at or above half the sample rate removes nothing."""


@dataclass(frozen=True, slots=True)
class LowPassDraw:
    cutoff_hz: float


class LowPass(WaveOperation[LowPassConfig, LowPassDraw]):
    """Filters each clip with a drawn cut-off."""

    name = "low_pass"

    def __init__(self, config: LowPassConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.sample_rate = sample_rate
        low_hz, high_hz = sorted((config.min_hz, config.max_hz))
        self.bounds = (log(low_hz), log(high_hz))

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> LowPassDraw:
        return LowPassDraw(exp(rng.uniform(*self.bounds)))

    def render(self, wave_BS: Tensor, draws: list[LowPassDraw], valid: list[int]) -> Tensor:
        samples = wave_BS.shape[1]
        length = fast_length(samples + round(_RINGING_S * self.sample_rate))
        cutoff_B1 = on_device([[draw.cutoff_hz] for draw in draws], wave_BS.device)
        # A cut-off from half the sample rate on does not filter at all.
        cutoff_B1 = torch.where(cutoff_B1 >= self.sample_rate / 2, self.sample_rate, cutoff_B1)
        hz_N = torch.arange(length // 2 + 1, device=wave_BS.device) * (self.sample_rate / length)
        # 0 below the edge, 1 above it.
        along_BN = ((hz_N / cutoff_B1 - (1 - EDGE)) / EDGE).clamp(0, 1)
        gain_BN = 0.5 + 0.5 * torch.cos(torch.pi * along_BN)
        return torch.fft.irfft(torch.fft.rfft(wave_BS, length).mul_(gain_BN), length)[:, :samples]
