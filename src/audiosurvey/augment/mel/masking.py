"""Time and frequency masking of mel spectrograms (B, C, T, F) (SpecAugment, arXiv 1904.08779)."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import Fill, MelOperation, OperationConfig, fill_value
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import on_device


class TimeMaskingConfig(OperationConfig):
    """Time masking: masks ranges of frames within the clip, not in its padding."""

    tmp: int = Field(default=20, ge=0)
    """Exclusive upper bound of the width of a mask in frames; drawn uniformly from 0."""
    num: int = Field(default=6, ge=0)
    """Number of masks per clip."""
    fill: Fill = "silence"
    """Value of masked cells: that of digital silence, or the mean of the clip."""


class FreqMaskingConfig(OperationConfig):
    """Frequency masking: masks ranges of mel bands."""

    fmp: int = Field(default=5, ge=0)
    """Exclusive upper bound of the width of a mask in mel bands; drawn uniformly from 0."""
    num: int = Field(default=5, ge=0)
    """Number of masks per clip."""
    fill: Fill = "silence"
    """Value of masked cells: that of digital silence, or the mean of the clip."""


@dataclass(frozen=True, slots=True)
class MaskDraw:
    """Masks of one clip along an axis of `size` cells, as first cells and widths; masks wrap around the end."""

    starts: tuple[int, ...]
    widths: tuple[int, ...]
    size: int


class TimeMasking(MelOperation[TimeMaskingConfig, MaskDraw]):
    """Masks ranges of frames."""

    name = "time_masking"

    def __init__(self, config: TimeMaskingConfig, *, silence: float) -> None:
        super().__init__(config)
        self.silence = silence

    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> MaskDraw:
        return draw_masks(rng, self.config.num, self.config.tmp, extent)

    def render(self, mel_BCTF: Tensor, draws: list[MaskDraw], extents: list[Extent]) -> Tensor:
        mask_BT = covered(draws, mel_BCTF.shape[2], mel_BCTF.device)
        value = fill_value(mel_BCTF, self.config.fill, self.silence, extents)
        return torch.where(mask_BT[:, None, :, None], value, mel_BCTF)

    def describe(self, draw: MaskDraw) -> dict[str, object]:
        return {"covered_frames": spans(draw)}


class FreqMasking(MelOperation[FreqMaskingConfig, MaskDraw]):
    """Masks ranges of mel bands."""

    name = "freq_masking"

    def __init__(self, config: FreqMaskingConfig, *, silence: float) -> None:
        super().__init__(config)
        self.silence = silence

    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> MaskDraw:
        return draw_masks(rng, self.config.num, self.config.fmp, Extent.whole(bands))

    def render(self, mel_BCTF: Tensor, draws: list[MaskDraw], extents: list[Extent]) -> Tensor:
        mask_BF = covered(draws, mel_BCTF.shape[3], mel_BCTF.device)
        value = fill_value(mel_BCTF, self.config.fill, self.silence, extents)
        return torch.where(mask_BF[:, None, None, :], value, mel_BCTF)

    def describe(self, draw: MaskDraw) -> dict[str, object]:
        return {"covered_bands": spans(draw)}


def draw_masks(rng: np.random.Generator, num: int, bound: int, extent: Extent) -> MaskDraw:
    """`num` masks within `extent`: width uniform in [0, bound), limited to the extent; start uniform where it fits."""
    widths = np.minimum(rng.integers(0, max(bound, 1), size=num), extent.length)
    starts = (extent.first + rng.integers(0, extent.length - widths + 1)) % extent.size
    return MaskDraw(tuple(starts.tolist()), tuple(widths.tolist()), extent.size)


def spans(draw: MaskDraw) -> list[list[int]]:
    """First and last cell of all non-empty masks, in order; a mask around the end gives two."""
    found = []
    for start, width in zip(draw.starts, draw.widths, strict=True):
        end = start + width
        if width > 0:
            found.append([start, min(end, draw.size) - 1])
        if end > draw.size:
            found.append([0, end - draw.size - 1])
    return sorted(found)


def covered(draws: list[MaskDraw], size: int, device: torch.device) -> Tensor:
    """Masks (B, size). All draws have the same number of masks."""
    starts = on_device([draw.starts for draw in draws], device).reshape(len(draws), -1, 1)
    widths = on_device([draw.widths for draw in draws], device).reshape(len(draws), -1, 1)
    return ((torch.arange(size, device=device) - starts) % size < widths).any(dim=1)
