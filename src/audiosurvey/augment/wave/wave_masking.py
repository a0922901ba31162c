"""Wave masking: a short segment of the clip is replaced by near-silence. Works on waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import on_device
from audiosurvey.augment.wave.noise import TABLE_SAMPLES, noise_table
from audiosurvey.augment.wave.stretch import StretchSeconds, draw_start, stretch_samples

COVER = 1e-6
"""Standard deviation of the replacing noise (-120 dBFS): inaudible, but not digital silence."""


class WaveMaskingConfig(OperationConfig):
    """Masks a short segment of the wave."""

    length_s: StretchSeconds = 0.1
    """Length of the segment in seconds. It is at a random position in the clip, not in its padding."""


@dataclass(frozen=True, slots=True)
class WaveMaskingDraw:
    start: int
    """First sample of the segment."""
    offset: int
    """Offset into the table of white noise (modulo the number of windows)."""


class WaveMasking(WaveOperation[WaveMaskingConfig, WaveMaskingDraw]):
    """Replaces a random segment of each clip by inaudible noise (`tmask` of EAT, arXiv 2204.11479)."""

    name = "wave_masking"

    def __init__(self, config: WaveMaskingConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.length = stretch_samples(config.length_s, sample_rate)

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> WaveMaskingDraw:
        return WaveMaskingDraw(draw_start(rng, self.length, extent), int(rng.integers(TABLE_SAMPLES)))

    def render(self, wave_BS: Tensor, draws: list[WaveMaskingDraw], valid: list[int]) -> Tensor:
        device, samples = wave_BS.device, wave_BS.shape[1]
        table = noise_table(device, samples)
        starts_B1 = on_device([[draw.start] for draw in draws], device)
        offsets_B1 = on_device([[draw.offset % (len(table) - samples + 1)] for draw in draws], device)
        # Segments wrap around the end of the window.
        places_BN = (starts_B1 + torch.arange(min(self.length, samples), device=device)) % samples
        return wave_BS.scatter(1, places_BN, (COVER * table[offsets_B1 + places_BN]).to(wave_BS.dtype))
