"""Tempo: a clip goes by faster or slower, while its pitch stays.

Enters and leaves: mel spectrograms (B, C, T, F). The window is a loop, as for the cyclic shift: a hastened clip begins
again where it has ended.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augmentation.base import MelOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.factor import FactorConfig


class TempoConfig(FactorConfig):
    """The frames of the spectrogram are read faster or slower; next to nothing in time, where `speed` resamples."""


@dataclass(frozen=True, slots=True)
class TempoDraw:
    tempo: float
    """Frames of the clip as it came to frames as it leaves."""


class Tempo(MelOperation[TempoDraw]):
    """Reads the compressed frames at each clip's own tempo, by a straight line between neighbours."""

    name = "tempo"

    def __init__(self, config: TempoConfig) -> None:
        super().__init__(config.p)
        self.config = config

    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> TempoDraw:
        return TempoDraw(self.config.draw(rng))

    def extent_after(self, draw: TempoDraw, extent: Extent) -> Extent:
        """What is read once; where the loop begins again is left out."""
        if extent.is_whole:
            return extent
        first, end = extent.first / draw.tempo, (extent.first + extent.length) / draw.tempo
        if first >= extent.size:  # so much slower that only what was parted from the clip is left
            first, end = 0.0, (extent.first + extent.length - extent.size) / draw.tempo
        return Extent.between(int(first), ceil(end), extent.size)

    def render(self, mel_BCTF: Tensor, draws: list[TempoDraw], extents: list[Extent]) -> Tensor:
        frames, device = mel_BCTF.shape[2], mel_BCTF.device
        # On the CPU in float64, as Python's own numbers: the same frames on every device.
        tempo_B1 = torch.tensor([[draw.tempo] for draw in draws], dtype=torch.float64)
        position_BT = torch.arange(frames) * tempo_B1
        first_BT = position_BT.floor()
        share_BT = (position_BT - first_BT).to(mel_BCTF.dtype).to(device)
        first_BT = first_BT.long().to(device)
        earlier, later = (_frames(mel_BCTF, (first_BT + step) % frames) for step in (0, 1))
        return torch.lerp(earlier, later, share_BT[:, None, :, None])


def _frames(mel_BCTF: Tensor, index_BT: Tensor) -> Tensor:
    """These frames of each clip."""
    return mel_BCTF.gather(2, index_BT[:, None, :, None].expand_as(mel_BCTF))
