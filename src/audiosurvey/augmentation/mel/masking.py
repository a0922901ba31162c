"""Time and frequency masks: stretches of frames, or of mel bands, are covered (SpecAugment, arXiv
1904.08779).

Enters: mel spectrograms (B, C, T, F); leaves: the same with whole frames or whole bands filled.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Fill, MelOperation, Probability, fill_value
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.tensors import on_device
from audiosurvey.section import Section


class TimeMaskingConfig(Section):
    """Stretches of time are covered in all bands, where the clip sounds and not in its padding."""

    p: Probability = 0.0
    """Chance that a clip gets masks; decides once for all of them."""
    tmp: int = 20
    """Bound of a mask's width in frames: widths are drawn evenly from 0 to below this."""
    num: int = 6
    """Masks a clip."""
    fill: Fill = "silence"
    """What stands in covered cells: the value of digital silence, or the clip's own mean."""

    @field_validator("tmp", "num")
    @classmethod
    def _counts(cls, count: int) -> int:
        return _not_negative(count, "frames and masks")


class FreqMaskingConfig(Section):
    """Stretches of mel bands are covered at all times."""

    p: Probability = 0.0
    """Chance that a clip gets masks; decides once for all of them."""
    fmp: int = 5
    """Bound of a mask's width in mel bands: widths are drawn evenly from 0 to below this."""
    num: int = 5
    """Masks a clip."""
    fill: Fill = "silence"
    """What stands in covered cells: the value of digital silence, or the clip's own mean."""

    @field_validator("fmp", "num")
    @classmethod
    def _counts(cls, count: int) -> int:
        return _not_negative(count, "mel bands and masks")


@dataclass(frozen=True, slots=True)
class MaskDraw:
    """Masks of one clip, along one axis of `size` cells: `starts[i]` is the first covered cell, `widths[i]` how many
    are, round the end of the axis."""

    starts: tuple[int, ...]
    widths: tuple[int, ...]
    size: int


class TimeMasking(MelOperation[MaskDraw]):
    """Covers stretches of frames."""

    name = "time_masking"

    def __init__(self, config: TimeMaskingConfig, *, silence: float) -> None:
        super().__init__(config.p)
        self.config = config
        self.silence = silence

    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> MaskDraw:
        return draw_masks(rng, self.config.num, self.config.tmp, extent)

    def render(self, mel_BCTF: Tensor, draws: list[MaskDraw], extents: list[Extent]) -> Tensor:
        mask_BT = covered(draws, mel_BCTF.shape[2], mel_BCTF.device)
        value = fill_value(mel_BCTF, self.config.fill, self.silence, extents)
        return torch.where(mask_BT[:, None, :, None], value, mel_BCTF)

    def describe(self, draw: MaskDraw) -> dict[str, object]:
        return {"covered_frames": spans(draw)}


class FreqMasking(MelOperation[MaskDraw]):
    """Covers stretches of mel bands."""

    name = "freq_masking"

    def __init__(self, config: FreqMaskingConfig, *, silence: float) -> None:
        super().__init__(config.p)
        self.config = config
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
    """`num` masks in a part of an axis: width even in [0, bound), cut to the part; start even where it fits."""
    widths = np.minimum(rng.integers(0, max(bound, 1), size=num), extent.length)
    starts = (extent.first + rng.integers(0, extent.length - widths + 1)) % extent.size
    return MaskDraw(tuple(starts.tolist()), tuple(widths.tolist()), extent.size)


def spans(draw: MaskDraw) -> list[list[int]]:
    """First and last covered cell of every mask that covers any, in order; a mask round the end is two."""
    found = []
    for start, width in zip(draw.starts, draw.widths, strict=True):
        end = start + width
        if width > 0:
            found.append([start, min(end, draw.size) - 1])
        if end > draw.size:
            found.append([0, end - draw.size - 1])
    return sorted(found)


def covered(draws: list[MaskDraw], size: int, device: torch.device) -> Tensor:
    """True where a mask lies. Shape (B, size). All draws hold equally many masks."""
    starts = on_device([draw.starts for draw in draws], device).reshape(len(draws), -1, 1)
    widths = on_device([draw.widths for draw in draws], device).reshape(len(draws), -1, 1)
    return ((torch.arange(size, device=device) - starts) % size < widths).any(dim=1)


def _not_negative(count: int, of_what: str) -> int:
    if count < 0:
        raise ValueError(f"{of_what} are counted from 0; got {count}")
    return count
