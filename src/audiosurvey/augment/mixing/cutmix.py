"""Cutmix: a rectangle of the spectrogram (B, C, T, F) is replaced by that of another training clip.

Source: Yun et al., arXiv 1905.04899: the sides are sqrt(1 - ratio) of the map, the centre is uniform, parts outside the
map are dropped, and the label weight is the actual area. Unlike there, padding is not counted.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.extent import sounding
from audiosurvey.augment.mixing.mixing import Extents, MelMixing, MixingConfig, Pair
from audiosurvey.augment.tensors import on_device


class CutmixConfig(MixingConfig):
    """Replaces a rectangle of the spectrogram by that of another training clip, after all other augmentation of both.
    Every mixed clip requires a second spectrogram."""

    alpha: float = Field(default=1.0, gt=0)
    """Both parameters of the Beta distribution of the fraction that the clip keeps, before the rectangle is cropped: 1
    is uniform, below 1 favours very small and very large rectangles."""


@dataclass(frozen=True, slots=True)
class CutmixDraw:
    """A rectangle, relative to the size of the map."""

    side: float
    centre_t: float
    centre_f: float


class Cutmix(MelMixing[CutmixConfig, CutmixDraw]):
    """Pastes a rectangle of the partner into each clip, at the same position."""

    name = "cutmix"

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
    """First cell, and the one after the last, of a range on an axis of `size` cells."""
    first, last = centre - side / 2, centre + side / 2
    return max(0, round(first * size)), min(size, round(last * size))


def _within(spans: list[tuple[int, int]], size: int, like: Tensor) -> Tensor:
    """Masks (B, size) of the spans."""
    bounds_B2 = on_device(spans, like.device)
    cell = torch.arange(size, device=like.device)
    return (cell >= bounds_B2[:, :1]) & (cell < bounds_B2[:, 1:])
