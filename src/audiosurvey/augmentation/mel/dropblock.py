"""DropBlock: rectangles of the map are covered, so that no single patch of a sound decides.

Enters: mel spectrograms (B, C, T, F); leaves: the same with blocks filled. The pure functions `solve_gamma`
and `cover` also serve the network's `drop` layer.

Source: Ghiasi et al., arXiv 1810.12890. As there, seeds fall only where a whole block fits. We depart in the
seed rate: the paper's formula ignores that blocks overlap, ours is solved so that `dp` is the mean share
really covered.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Fill, MelOperation, Probability, fill_value
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.tensors import on_device
from audiosurvey.section import Section


class BlockSize(Section):
    """Sides of a block."""

    t: int = 32
    """Frames a block is long; cut to the clip where that is shorter."""
    f: int = 4
    """Mel bands a block is high; cut to the map where that is lower."""

    @field_validator("t", "f")
    @classmethod
    def _covers_something(cls, side: int) -> int:
        if side < 1:
            raise ValueError(f"a block of {side} covers nothing; its sides are counted in frames and bands, from 1")
        return side


class DropBlockConfig(Section):
    """Blocks of the mel spectrogram are covered."""

    p: Probability = 0.0
    """Chance that a clip gets blocks at all."""
    dp: float = 0.5
    """Mean share of the cells of such a clip that is covered, overlaps and borders counted and padding not (0 to below
    1)."""
    block_size: BlockSize = Field(default_factory=BlockSize)
    """Sides of one block, in frames and mel bands."""
    gamma: Literal["solved", "paper"] = "solved"
    """How the rate of blocks follows from `dp`: solved so that `dp` is met, or by the paper's formula, which
    stays below `dp` because it does not count overlaps."""
    fill: Fill = "silence"
    """What stands in covered cells: the value of digital silence, or the clip's own mean."""

    @field_validator("dp")
    @classmethod
    def _leaves_something(cls, dp: float) -> float:
        if not 0 <= dp < 1:
            raise ValueError(f"the covered share lies between 0 and below 1, else no sound is left; got {dp:g}")
        return dp


@dataclass(frozen=True, slots=True)
class DropBlockDraw:
    """Blocks of one clip: the places where they begin, counted row by row among the places where a block fits, from
    frame `first` on and round the end of the map."""

    places: tuple[int, ...]
    block: tuple[int, int]
    first: int = 0


class DropBlock(MelOperation[DropBlockDraw]):
    """Covers blocks at random places, drawn for each clip, alike in all channels; values are not rescaled."""

    name = "dropblock"

    def __init__(self, config: DropBlockConfig, *, silence: float) -> None:
        super().__init__(config.p)
        self.config = config
        self.silence = silence

    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> DropBlockDraw:
        frames = extent.length
        block_t, block_f = min(self.config.block_size.t, frames), min(self.config.block_size.f, bands)
        rate = solve_gamma if self.config.gamma == "solved" else paper_gamma
        gamma = rate(frames, bands, block_t, block_f, self.config.dp)
        # A coin for every place is a binomial count of distinct places: hundreds of numbers, not one for each
        # cell.
        places = (frames - block_t + 1) * (bands - block_f + 1)
        chosen = rng.choice(places, size=int(rng.binomial(places, gamma)), replace=False, shuffle=False)
        return DropBlockDraw(tuple(chosen.tolist()), (block_t, block_f), extent.first)

    def render(self, mel_BCTF: Tensor, draws: list[DropBlockDraw], extents: list[Extent]) -> Tensor:
        batch, _, frames, bands = mel_BCTF.shape
        mask_B1TF = torch.zeros(batch, 1, frames, bands, dtype=torch.bool, device=mel_BCTF.device)
        # A short clip may have shorter blocks than the rest of the batch.
        for block in {draw.block for draw in draws}:
            rows = [row for row, draw in enumerate(draws) if draw.block == block]
            blocks = _blocks([draws[row] for row in rows], block, mask_B1TF)
            mask_B1TF.index_copy_(0, on_device(rows, mask_B1TF.device), blocks)
        return torch.where(mask_B1TF, fill_value(mel_BCTF, self.config.fill, self.silence, extents), mel_BCTF)

    def describe(self, draw: DropBlockDraw) -> dict[str, object]:
        return {"blocks": len(draw.places), "block_frames": draw.block[0], "block_bands": draw.block[1]}


def _blocks(draws: list[DropBlockDraw], block: tuple[int, int], like_B1TF: Tensor) -> Tensor:
    """True where the blocks of these draws lie, all of the same sides; on maps of the sides of `like_B1TF`."""
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
    """The chance of a seed at each place where a block fits, so that on average the share `dp` of cells is
    covered.

    `frames`, `bands`: the map (T, F); `block_t`, `block_f`: the block, cut to the map; `dp` in [0, 1].

    A cell that n places can cover is left free with chance (1-gamma)^n. Along one axis of length L a block of
    side b covers cell i from min(i, L-b) - max(0, i-b+1) + 1 places, and n is the product over both axes. So
    the covered share is 1 - mean (1-gamma)^n, which rises from 0 to 1 with gamma and is solved by bisection.
    """
    if not 0 <= dp <= 1:
        raise ValueError(f"dp is a share, from 0 to 1; got {dp}")
    counts, weights = _ways_to_cover(frames, bands, block_t, block_f)
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        share = -np.expm1(counts * np.log1p(-middle)) @ weights if middle < 1 else 1.0
        low, high = (middle, high) if share < dp else (low, middle)
    return high if dp > 0 else 0.0


@lru_cache(maxsize=256)
def _ways_to_cover(frames: int, bands: int, block_t: int, block_f: int) -> tuple[np.ndarray, np.ndarray]:
    """By how many places cells can be covered, and the share of the cells of each such number."""
    ways = np.multiply.outer(_places_covering(frames, block_t), _places_covering(bands, block_f))
    counts, cells = np.unique(ways, return_counts=True)
    return counts, cells / ways.size


def paper_gamma(frames: int, bands: int, block_t: int, block_f: int, dp: float) -> float:
    """The seed rate by the paper's formula, in its form for oblong maps and blocks (arXiv 1810.12890,
    equation 1)."""
    block_t, block_f = min(block_t, frames), min(block_f, bands)
    places = (frames - block_t + 1) * (bands - block_f + 1)
    return min(1.0, dp * frames * bands / (block_t * block_f * places))


def cover(seeds_BCTF: Tensor, block_t: int, block_f: int) -> Tensor:
    """Every seed becomes a block that begins at it.

    `seeds_BCTF`: 1 (or True) where a block begins, else 0; Shape (B, C, T - block_t + 1, F - block_f + 1).
    Returns 1 (or True) where a block lies, else 0; Shape (B, C, T, F). Any sides, even or odd, mixed as they
    come.
    """
    return _spread(_spread(seeds_BCTF, 2, block_t), 3, block_f)


def _spread(seeds: Tensor, axis: int, side: int) -> Tensor:
    """The maximum over the last `side` cells of an axis, by doubling: for a side of 32 five comparisons a
    cell."""
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
