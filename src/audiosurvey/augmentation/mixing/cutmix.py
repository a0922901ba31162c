"""Cutmix: a rectangle of the spectrogram is taken from another training clip.

Enters: mel spectrograms (B, C, T, F) and those of their partners, all augmented by themselves; leaves: the clips' with
a rectangle of the partners'.

Source: Yun et al., arXiv 1905.04899: sides sqrt(1 - ratio) of the map, centre anywhere, what stands over the border
is lost; the label goes by the area that is really taken. We depart where clips are padded: frames in which nothing
sounds are not counted, as in timemix.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.extent import sounding
from audiosurvey.augmentation.mixing.mixing import Extents, MelMixing, MixingConfig, Pair
from audiosurvey.augmentation.tensors import on_device


class CutmixConfig(MixingConfig):
    """A rectangle of the spectrogram is another training clip's, both after all other augmentation. Costs a second
    rendering of every clip that is mixed."""

    alpha: float = 1.0
    """Both parameters of the Beta distribution of the share that the clip keeps before borders are counted: 1 draws all
    shares alike, below 1 mostly very small or very large rectangles."""

    @field_validator("alpha")
    @classmethod
    def _has_shape(cls, alpha: float) -> float:
        if alpha <= 0:
            raise ValueError(f"alpha shapes the size of the rectangle and must be above 0; got {alpha:g}")
        return alpha


@dataclass(frozen=True, slots=True)
class CutmixDraw:
    """A rectangle, in shares of the map: it holds for a map of any size."""

    side: float
    centre_t: float
    centre_f: float


class Cutmix(MelMixing[CutmixDraw]):
    """Pastes a rectangle of its own partner into each clip's map, at the place it has there."""

    name = "cutmix"

    def __init__(self, config: CutmixConfig) -> None:
        super().__init__(config)
        self.config = config

    def draw(self, rng: np.random.Generator) -> CutmixDraw:
        kept = float(rng.beta(self.config.alpha, self.config.alpha))
        return CutmixDraw(float(np.sqrt(1 - kept)), float(rng.random()), float(rng.random()))

    def mix(self, mels: Pair, draws: list[CutmixDraw], extents: Extents | None = None) -> tuple[Tensor, Tensor]:
        own_BCTF, other_BCTF = mels
        frames, bands = own_BCTF.shape[2:]
        inside_BT = _within([_span(draw.centre_t, draw.side, frames) for draw in draws], frames, own_BCTF)
        inside_BF = _within([_span(draw.centre_f, draw.side, bands) for draw in draws], bands, own_BCTF)
        inside_B1TF = (inside_BT[:, :, None] & inside_BF[:, None, :])[:, None]
        mixed_BCTF = torch.where(inside_B1TF, other_BCTF, own_BCTF)
        area_B = inside_BT.sum(1) * inside_BF.sum(1)
        if extents is None:
            return mixed_BCTF, 1 - area_B / (frames * bands)
        own_BT, other_BT = (sounding(part, own_BCTF.device) for part in extents)
        lost_B, taken_B = ((part_BT & inside_BT).sum(1) * inside_BF.sum(1) for part_BT in (own_BT, other_BT))
        heard_B = own_BT.sum(1) * bands - lost_B + taken_B
        share_B = torch.where(heard_B > 0, taken_B / heard_B.clamp(min=1), area_B / (frames * bands))
        return mixed_BCTF, 1 - share_B


def _span(centre: float, side: float, size: int) -> tuple[int, int]:
    """First cell, and the one after the last, of a stretch on an axis of `size` cells."""
    first, last = centre - side / 2, centre + side / 2
    return max(0, round(first * size)), min(size, round(last * size))


def _within(spans: list[tuple[int, int]], size: int, like: Tensor) -> Tensor:
    """True inside of each span. Shape (B, size)."""
    bounds_B2 = on_device(spans, like.device)
    cell = torch.arange(size, device=like.device)
    return (cell >= bounds_B2[:, :1]) & (cell < bounds_B2[:, 1:])
