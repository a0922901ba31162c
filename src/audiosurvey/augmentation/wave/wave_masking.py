"""Wave masking: a short stretch of the clip is covered by next to nothing.

Enters and leaves: waveforms (B, S).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.wave.noise import TABLE_SAMPLES, noise_windows
from audiosurvey.augmentation.wave.stretch import StretchSeconds, draw_start, inside, stretch_samples
from audiosurvey.section import Section

COVER = 1e-6
"""Standard deviation of the noise that covers (-120 dB below full scale): never heard, yet no level of it is 0."""


class WaveMaskingConfig(Section):
    """A short stretch of the wave is covered."""

    p: Probability = 0.0
    """Chance that a stretch of a clip is covered."""
    length_s: StretchSeconds = 0.1
    """Length of the stretch in seconds; it lies anywhere in the clip, not in its padding."""


@dataclass(frozen=True, slots=True)
class WaveMaskingDraw:
    start: int
    """First sample of the stretch."""
    offset: int
    """Where in the table of white noise the cover begins (modulo the places there are)."""


class WaveMasking(WaveOperation[WaveMaskingDraw]):
    """Puts noise that is far below hearing in place of a stretch of each clip (`tmask` of EAT, arXiv 2204.11479)."""

    name = "wave_masking"

    def __init__(self, config: WaveMaskingConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        self.length = stretch_samples(config.length_s, sample_rate)

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> WaveMaskingDraw:
        return self.draw_sounding(rng, Extent.until(valid, samples))

    def draw_sounding(self, rng: np.random.Generator, extent: Extent) -> WaveMaskingDraw:
        return WaveMaskingDraw(draw_start(rng, self.length, extent), int(rng.integers(TABLE_SAMPLES)))

    def render(self, wave_BS: Tensor, draws: list[WaveMaskingDraw], valid: list[int]) -> Tensor:
        noise_BS = noise_windows([draw.offset for draw in draws], wave_BS.shape[1], wave_BS.device)
        covered_BS = inside([draw.start for draw in draws], self.length, wave_BS)
        return torch.where(covered_BS, COVER * noise_BS, wave_BS)
