"""Sine: a low, steady hum is added.

Enters and leaves: waveforms (B, S). The ratio refers to the mean power of the clip before padding; the hum fills the
whole window. A silent clip has no power to refer to and stays silent.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.tensors import mean_power, on_device
from audiosurvey.augmentation.wave.noise import audible_snr
from audiosurvey.section import Section

SPREAD_HZ = 3.0
"""Standard deviation of what is added to the drawn frequency, so that it has no sharp end."""


class SineConfig(Section):
    """A steady hum is added."""

    p: Probability = 0.0
    """Chance that a clip gets a hum."""
    max_hz: float = 50.0
    """Frequency in Hz up to which the hum is drawn evenly; a normal deviation of 3 Hz is added."""
    min_snr_db: float = 30.0
    """One bound of the ratio of the clip to the hum in dB; drawn evenly between the two, whichever is the greater."""
    max_snr_db: float = 35.0
    """The other bound in dB."""

    @field_validator("min_snr_db", "max_snr_db")
    @classmethod
    def _audible(cls, db: float) -> float:
        return audible_snr(db)

    @field_validator("max_hz")
    @classmethod
    def _a_frequency(cls, hertz: float) -> float:
        if hertz < 0:
            raise ValueError(f"a frequency is counted from 0 Hz; got {hertz:g} Hz")
        return hertz


@dataclass(frozen=True, slots=True)
class SineDraw:
    frequency_hz: float
    phase: float
    """In radians, in [0, pi)."""
    snr_db: float


class Sine(WaveOperation[SineDraw]):
    """Adds a sinusoid to each clip at its own frequency, phase and ratio (`sine` of EAT, arXiv 2204.11479)."""

    name = "sine"

    def __init__(self, config: SineConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        self.config = config
        self.sample_rate = sample_rate

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> SineDraw:
        frequency_hz = self.config.max_hz * rng.random() + SPREAD_HZ * rng.standard_normal()
        low, high = sorted((self.config.min_snr_db, self.config.max_snr_db))
        return SineDraw(abs(float(frequency_hz)), float(rng.uniform(0, np.pi)), float(rng.uniform(low, high)))

    def render(self, wave_BS: Tensor, draws: list[SineDraw], valid: list[int]) -> Tensor:
        device = wave_BS.device
        cycles_B1 = on_device([[draw.frequency_hz / self.sample_rate] for draw in draws], device)
        phase_B1 = on_device([[draw.phase] for draw in draws], device)
        # Of a sinusoid the mean power is half the square of its amplitude.
        wanted_B = on_device([2 * 10 ** (-draw.snr_db / 10) for draw in draws], device)
        amplitude_B = torch.sqrt(wanted_B * mean_power(wave_BS, on_device(valid, device)))
        hum_BS = torch.sin(2 * torch.pi * cycles_B1 * torch.arange(wave_BS.shape[1], device=device) + phase_B1)
        return torch.addcmul(wave_BS, hum_BS, amplitude_B[:, None])
