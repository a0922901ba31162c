"""Shorten: only a segment of the clip is kept, and the rest of the window is padding. Works on waveforms (B, S).

Without it, a network that never saw padding in training can be confidently wrong about a clip that is 5 % too short.
It is the last operation on waves, so that the padding is the same as in evaluation and prediction.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, Probability, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import on_device, windows
from audiosurvey.data.batches.batches import Pad


class ShortenConfig(OperationConfig):
    """Keeps a segment of the clip and pads the rest of the window as set by `dataset.pad`. On by default."""

    p: Probability = 0.3
    """Probability that a clip is shortened; 0 disables it."""
    min_share: float = Field(default=0.15, gt=0, lt=1)
    """Minimum fraction of the clip that is kept; drawn uniformly between this and 1."""


@dataclass(frozen=True, slots=True)
class ShortenDraw:
    start: int
    """First sample kept."""
    length: int
    """Number of samples kept."""


class Shorten(WaveOperation[ShortenConfig, ShortenDraw]):
    """Moves a segment of each clip to the start of the window and pads the rest."""

    name = "shorten"

    def __init__(self, config: ShortenConfig, *, pad: Pad) -> None:
        super().__init__(config)
        self.pad: Pad = pad

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> ShortenDraw:
        part = extent.longer_part
        valid = max(1, part.length)
        length = max(1, round(valid * rng.uniform(self.config.min_share, 1)))
        return ShortenDraw(part.first + int(rng.integers(valid - length + 1)), length)

    def extent_after(self, draw: ShortenDraw, extent: Extent) -> Extent:
        return Extent.until(extent.size if self.pad == "repeat" else draw.length, extent.size)

    def render(self, wave_BS: Tensor, draws: list[ShortenDraw], valid: list[int]) -> Tensor:
        samples = wave_BS.shape[1]
        length_B1 = on_device([[draw.length] for draw in draws], wave_BS.device)
        place_S = torch.arange(samples, device=wave_BS.device)
        if self.pad == "repeat":
            start_B1 = on_device([[draw.start] for draw in draws], wave_BS.device)
            return wave_BS.gather(1, start_B1 + place_S % length_B1)
        padded = torch.cat([wave_BS, torch.zeros_like(wave_BS)], dim=1)
        return windows(padded, [draw.start for draw in draws], samples).masked_fill_(place_S >= length_B1, 0)
