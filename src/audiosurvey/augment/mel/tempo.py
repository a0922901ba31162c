"""Tempo: a clip becomes faster or slower without a change of pitch. Works on mel spectrograms (B, C, T, F).

A faster clip is repeated to fill the window.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.base import MelOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.factor import FactorConfig


class TempoConfig(FactorConfig):
    """Changes the tempo without the pitch, by interpolating frames of the spectrogram. Much cheaper than `speed`, which
    resamples the wave."""


@dataclass(frozen=True, slots=True)
class TempoDraw:
    tempo: float
    """Input frames per output frame."""


class Tempo(MelOperation[TempoConfig, TempoDraw]):
    """Interpolates frames linearly at a drawn tempo for each clip."""

    name = "tempo"

    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> TempoDraw:
        return TempoDraw(self.config.draw(rng))

    def extent_after(self, draw: TempoDraw, extent: Extent) -> Extent:
        """The first pass through the clip, without its repetition."""
        if extent.is_whole:
            return extent
        first, end = extent.first / draw.tempo, (extent.first + extent.length) / draw.tempo
        if first >= extent.size:  # so slow that only the wrapped part of the clip remains
            first, end = 0.0, (extent.first + extent.length - extent.size) / draw.tempo
        return Extent.between(int(first), ceil(end), extent.size)

    def render(self, mel_BCTF: Tensor, draws: list[TempoDraw], extents: list[Extent]) -> Tensor:
        frames, device = mel_BCTF.shape[2], mel_BCTF.device
        # On the CPU in float64, so that every device gets the same positions.
        tempo_B1 = torch.tensor([[draw.tempo] for draw in draws], dtype=torch.float64)
        position_BT = torch.arange(frames) * tempo_B1
        first_BT = position_BT.floor()
        share_BT = (position_BT - first_BT).to(mel_BCTF.dtype).to(device)
        first_BT = first_BT.long().to(device)
        earlier, later = (_frames(mel_BCTF, (first_BT + step) % frames) for step in (0, 1))
        return torch.lerp(earlier, later, share_BT[:, None, :, None])


def _frames(mel_BCTF: Tensor, index_BT: Tensor) -> Tensor:
    return mel_BCTF.gather(2, index_BT[:, None, :, None].expand_as(mel_BCTF))
