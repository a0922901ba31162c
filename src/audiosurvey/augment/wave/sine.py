"""Sine: a low, steady hum is added. Works on waveforms (B, S).

The signal-to-noise ratio refers to the mean power of the clip without padding; the hum fills the whole window. A silent
clip stays silent.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import mean_power, on_device
from audiosurvey.augment.wave.noise import SnrDb

SPREAD_HZ = 3.0
"""Standard deviation of the normal part of the frequency."""


class SineConfig(OperationConfig):
    """Adds a low, steady hum."""

    max_hz: float = Field(default=50.0, ge=0)
    """Upper bound of the frequency in Hz: drawn uniformly from 0 to this, plus a normal deviate of 3 Hz."""
    min_snr_db: SnrDb = 30.0
    """One bound of the ratio of the clip to the hum in dB; drawn uniformly between both bounds, in either order."""
    max_snr_db: SnrDb = 35.0
    """The other bound in dB."""


@dataclass(frozen=True, slots=True)
class SineDraw:
    frequency_hz: float
    phase: float
    """In radians, in [0, pi)."""
    snr_db: float


class Sine(WaveOperation[SineConfig, SineDraw]):
    """Adds a sinusoid of drawn frequency, phase and ratio to each clip (`sine` of EAT, arXiv 2204.11479)."""

    name = "sine"

    def __init__(self, config: SineConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.sample_rate = sample_rate

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> SineDraw:
        frequency_hz = self.config.max_hz * rng.random() + SPREAD_HZ * rng.standard_normal()
        low, high = sorted((self.config.min_snr_db, self.config.max_snr_db))
        return SineDraw(abs(float(frequency_hz)), float(rng.uniform(0, np.pi)), float(rng.uniform(low, high)))

    def render(self, wave_BS: Tensor, draws: list[SineDraw], valid: list[int]) -> Tensor:
        device = wave_BS.device
        cycles_B1 = on_device([[draw.frequency_hz / self.sample_rate] for draw in draws], device)
        phase_B1 = on_device([[draw.phase] for draw in draws], device)
        # The mean power of a sinusoid is half its squared amplitude.
        wanted_B = on_device([2 * 10 ** (-draw.snr_db / 10) for draw in draws], device)
        amplitude_B = torch.sqrt(wanted_B * mean_power(wave_BS, on_device(valid, device)))
        hum_BS = torch.sin(2 * torch.pi * cycles_B1 * torch.arange(wave_BS.shape[1], device=device) + phase_B1)
        return torch.addcmul(wave_BS, hum_BS, amplitude_B[:, None])
