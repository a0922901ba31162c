"""Speed: the whole clip is played faster and higher, or slower and lower, as on tape.

Enters and leaves: waveforms (B, S), both read from their beginning. What a slowed clip has beyond the window is cut;
where a hastened one has ended, the window is silent.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.factor import FactorConfig, a_factor
from audiosurvey.augmentation.interpolation import FRACTION_BITS, clips_at_once, interpolate
from audiosurvey.augmentation.tensors import at_rows, fast_length, on_device

PASSED = 0.9
"""Share of the band that stays in hearing when a clip is hastened; from there to its end sounds are faded out."""
SPILL_SAMPLES = 512
"""Silence after the window while it is filtered, so that its end does not ring into its beginning."""


class SpeedConfig(FactorConfig):
    """The clip is played at another speed, which also moves its pitch."""

    min: float = 0.8
    """One bound of the speed (1: as recorded, 2: twice as fast, an octave higher); drawn evenly in octaves between the
    two, whichever is the greater."""
    max: float = 1.25
    """The other bound."""
    values: list[float] | None = None
    """These speeds instead, one of them for each clip; null: any between the bounds."""

    @field_validator("values")
    @classmethod
    def _recognisable_each(cls, speeds: list[float] | None) -> list[float] | None:
        if speeds == []:
            raise ValueError("a list of no speeds leaves nothing to choose from; leave the key out for a range")
        return None if speeds is None else [a_factor(speed) for speed in speeds]


@dataclass(frozen=True, slots=True)
class SpeedDraw:
    speed: float
    """Samples of the clip as it came to samples as it leaves."""


class Speed(WaveOperation[SpeedDraw]):
    """Resamples each clip by its own factor and plays it at the old rate.

    Source: EAT (arXiv 2204.11479), where a batch is resampled to 0.8, 0.9, 1.1 or 1.2 times its length, which plays it
    at 1.25, 1.111, 0.909 or 0.833 times its speed; here each clip has its own speed, out of a range or a list.
    """

    name = "speed"

    def __init__(self, config: SpeedConfig) -> None:
        super().__init__(config.p)
        self.config = config

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> SpeedDraw:
        if self.config.values is not None:
            return SpeedDraw(self.config.values[int(rng.integers(len(self.config.values)))])
        return SpeedDraw(self.config.draw(rng))

    def render(self, wave_BS: Tensor, draws: list[SpeedDraw], valid: list[int]) -> Tensor:
        clips = clips_at_once(wave_BS.device, wave_BS.shape[1])
        speeds = [draw.speed for draw in draws]
        parts = [
            replay(wave_BS[first : first + clips], speeds[first : first + clips])
            for first in range(0, len(draws), clips)
        ]
        return torch.cat(parts)

    def extent_after(self, draw: SpeedDraw, extent: Extent) -> Extent:
        if extent.is_parted:
            return extent
        return Extent.between(int(extent.first / draw.speed), math.ceil(extent.end / draw.speed), extent.size)


def replay(wave_BS: Tensor, speeds: list[float]) -> Tensor:
    """The waves read at these speeds (B), from their beginning; silence where they have ended."""
    samples, device = wave_BS.shape[1], wave_BS.device
    steps_B1 = on_device([[round(speed * 2**FRACTION_BITS)] for speed in speeds], device)
    positions_BS = torch.arange(samples, device=device) * steps_B1
    read_BS = interpolate(without_folding(wave_BS, speeds), positions_BS)
    return torch.where(positions_BS < samples << FRACTION_BITS, read_BS, 0.0)


def without_folding(wave_BS: Tensor, speeds: list[float]) -> Tensor:
    """The waves without what would lie above half the sample rate once they are played at these speeds (B), and would
    fold back. Speeds up to 1 leave all as it is."""
    hastened = [row for row, speed in enumerate(speeds) if speed > 1]
    return at_rows(wave_BS, hastened, lambda part_BS: _below_half_the_rate(part_BS, [speeds[row] for row in hastened]))


def _below_half_the_rate(wave_BS: Tensor, speeds: list[float]) -> Tensor:
    samples, device = wave_BS.shape[1], wave_BS.device
    length = fast_length(samples + SPILL_SAMPLES)
    # As a share of half the sample rate: what sounds at 1/speed of it ends up at the whole of it.
    share_N = torch.linspace(0, 1, length // 2 + 1, device=device)
    heard_BN = share_N * on_device([[speed] for speed in speeds], device)
    fade_BN = ((1 - heard_BN) / (1 - PASSED)).clamp(0, 1)
    gain_BN = 0.5 - 0.5 * torch.cos(torch.pi * fade_BN)
    return torch.fft.irfft(torch.fft.rfft(wave_BS, length) * gain_BN, length)[:, :samples]
