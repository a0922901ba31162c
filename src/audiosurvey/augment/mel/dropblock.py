"""DropBlock: rectangles of mel spectrograms (B, C, T, F) are masked.

`solve_gamma` and `cover` are also used by the `drop` block of networks. Source: Ghiasi et al., arXiv 1810.12890. As
there, blocks lie entirely within the map. The paper's formula for the seed rate ignores overlaps; here it is solved so
that `dp` is the actual mean of the masked fraction.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import Fill, MelOperation, OperationConfig, fill_value
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import on_device
from audiosurvey.section import Section


class BlockSize(Section):
    """Size of a block in frames and mel bands."""

    t: int = Field(default=32, ge=1)
    """Frames; limited to those of the clip."""
    f: int = Field(default=4, ge=1)
    """Mel bands; limited to those of the spectrogram."""


class DropBlockConfig(OperationConfig):
    """DropBlock: masks blocks of the mel spectrogram."""

    dp: float = Field(default=0.5, ge=0, lt=1)
    """Mean fraction of such a clip that is masked, with overlaps and borders taken into account, and without
    padding."""
    block_size: BlockSize = BlockSize()
    gamma: Literal["solved", "paper"] = "solved"
    """Rate of blocks: `solved` to give exactly `dp`, or by the formula of the paper, which ignores overlaps and masks
    less than `dp`."""
    fill: Fill = "silence"
    """Value of masked cells: that of digital silence, or the mean of the clip."""


@dataclass(frozen=True, slots=True)
class DropBlockDraw:
    """Blocks of one clip: their first cells, as flat indices into the positions where a block fits, from frame `first`
    and wrapping around the end of the map."""

    places: tuple[int, ...]
    block: tuple[int, int]
    first: int = 0


class DropBlock(MelOperation[DropBlockConfig, DropBlockDraw]):
    """Masks random blocks of each clip, the same in all channels, without rescaling."""

    name = "dropblock"

    def __init__(self, config: DropBlockConfig, *, silence: float) -> None:
        super().__init__(config)
        self.silence = silence

    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> DropBlockDraw:
        frames = extent.length
        block_t, block_f = min(self.config.block_size.t, frames), min(self.config.block_size.f, bands)
        rate = solve_gamma if self.config.gamma == "solved" else paper_gamma
        gamma = rate(frames, bands, block_t, block_f, self.config.dp)
        # Equivalent to one Bernoulli draw per position, with far fewer random numbers.
        places = (frames - block_t + 1) * (bands - block_f + 1)
        chosen = rng.choice(places, size=int(rng.binomial(places, gamma)), replace=False, shuffle=False)
        return DropBlockDraw(tuple(chosen.tolist()), (block_t, block_f), extent.first)

    def render(self, mel_BCTF: Tensor, draws: list[DropBlockDraw], extents: list[Extent]) -> Tensor:
        batch, _, frames, bands = mel_BCTF.shape
        mask_B1TF = torch.zeros(batch, 1, frames, bands, dtype=torch.bool, device=mel_BCTF.device)
        # Blocks of short clips may be smaller.
        for block in {draw.block for draw in draws}:
            rows = [row for row, draw in enumerate(draws) if draw.block == block]
            blocks = _blocks([draws[row] for row in rows], block, mask_B1TF)
            mask_B1TF.index_copy_(0, on_device(rows, mask_B1TF.device), blocks)
        return torch.where(mask_B1TF, fill_value(mel_BCTF, self.config.fill, self.silence, extents), mel_BCTF)

    def describe(self, draw: DropBlockDraw) -> dict[str, object]:
        return {"blocks": len(draw.places), "block_frames": draw.block[0], "block_bands": draw.block[1]}


def _blocks(draws: list[DropBlockDraw], block: tuple[int, int], like_B1TF: Tensor) -> Tensor:
    """Mask of the blocks of these draws, all of one size; on maps like `like_B1TF`."""
    frames, bands = like_B1TF.shape[2:]
    shape = (len(draws), 1, frames - block[0] + 1, bands - block[1] + 1)
    places = shape[2] * shape[3]
    begins = np.concatenate([row * places + np.asarray(d.places, np.int64) for row, d in enumerate(draws)])
    seeds = torch.zeros(len(draws) * places, dtype=torch.bool, device=like_B1TF.device)
    seeds.index_fill_(0, on_device(begins, like_B1TF.device), True)
    mask_B1TF = cover(seeds.view(shape), *block)
    if not any(draw.first for draw in draws):
        return mask_B1TF
    turned = [torch.roll(mask_1TF, draw.first, dims=1) for mask_1TF, draw in zip(mask_B1TF, draws, strict=True)]
    return torch.stack(turned)


@lru_cache(maxsize=1024)
def solve_gamma(frames: int, bands: int, block_t: int, block_f: int, dp: float) -> float:
    """Probability of a block at each position, so that on average the fraction `dp` of cells is masked.

    `frames`, `bands`: size of the map; `block_t`, `block_f`: size of a block, at most that of the map; `dp` in [0, 1].

    A cell covered by blocks at n positions stays free with probability (1 - gamma)^n. Along an axis of length L, cell i
    is covered by blocks of side b from min(i, L-b) - max(0, i-b+1) + 1 positions; n is the product over both axes. The
    masked fraction 1 - mean (1 - gamma)^n increases with gamma and is solved by bisection.
    """
    if not 0 <= dp <= 1:
        raise ValueError(f"dp must be between 0 and 1; got {dp}")
    counts, weights = _ways_to_cover(frames, bands, block_t, block_f)
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        share = -np.expm1(counts * np.log1p(-middle)) @ weights if middle < 1 else 1.0
        low, high = (middle, high) if share < dp else (low, middle)
    return high if dp > 0 else 0.0


@lru_cache(maxsize=256)
def _ways_to_cover(frames: int, bands: int, block_t: int, block_f: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct numbers of positions that cover a cell, and the fraction of cells with each."""
    ways = np.multiply.outer(_places_covering(frames, block_t), _places_covering(bands, block_f))
    counts, cells = np.unique(ways, return_counts=True)
    return counts, cells / ways.size


def paper_gamma(frames: int, bands: int, block_t: int, block_f: int, dp: float) -> float:
    """The rate by equation 1 of arXiv 1810.12890, generalised to rectangular maps and blocks."""
    block_t, block_f = min(block_t, frames), min(block_f, bands)
    places = (frames - block_t + 1) * (bands - block_f + 1)
    return min(1.0, dp * frames * bands / (block_t * block_f * places))


def cover(seeds_BCTF: Tensor, block_t: int, block_f: int) -> Tensor:
    """Expands seeds (B, C, T - block_t + 1, F - block_f + 1), 1 or True at the first cell of each block, to masks
    (B, C, T, F) of the blocks."""
    return _spread(_spread(seeds_BCTF, 2, block_t), 3, block_f)


def _spread(seeds: Tensor, axis: int, side: int) -> Tensor:
    """Running maximum over `side` cells of an axis by doubling, in log2(side) passes."""
    grown = list(seeds.shape)
    grown[axis] += side - 1
    mask = seeds.new_zeros(grown)
    mask.narrow(axis, 0, seeds.shape[axis]).copy_(seeds)
    width = 1
    while width < side:
        step = min(width, side - width)
        rest = grown[axis] - step
        later = torch.maximum(mask.narrow(axis, step, rest), mask.narrow(axis, 0, rest))
        mask = torch.cat([mask.narrow(axis, 0, step), later], dim=axis)
        width += step
    return mask


def _places_covering(length: int, block: int) -> np.ndarray:
    block = min(block, length)
    cell = np.arange(length)
    return np.minimum(cell, length - block) - np.maximum(0, cell - block + 1) + 1
