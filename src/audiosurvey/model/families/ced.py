"""The blocks of CED, `patches` and `attention`: a vision transformer over patches of the spectrogram.

Source: Dinkel et al. 2023 (arXiv 2308.11957), github.com/RicherMans/CED; layers as in Dosovitskiy et al. 2021 (arXiv
2010.11929).
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from audiosurvey.model.blocks.fields import Rate, Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.transformer import Attention
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes
from audiosurvey.section import Section

_NORM_EPS = 1e-6


class PatchesConfig(Section):
    """Patch embedding with learned positions."""

    channels: Width
    """Features of a patch."""
    size: Sides = (16, 16)
    """Size of a patch [frames, bands]; patches do not overlap, and an incomplete one at the end is dropped."""
    positions: int | None = Field(default=None, ge=1, le=65_536)
    """Number of positions along time, in patches. Shorter clips use the first of them; for longer clips they are
    stretched. null: one for each patch of a clip."""


class PatchesItem(BlockItem):
    """Cuts a map into patches and embeds each as one cell of `channels` features. A position along time and one along
    frequency are added; both are learned."""

    patches: PatchesConfig

    def output_shape(self, shape: Shape) -> Shape:
        _, frames, bands = map_sizes(shape, "patches")
        rows, columns = frames // self.patches.size[0], bands // self.patches.size[1]
        if not rows or not columns:
            size = " x ".join(map(str, self.patches.size))
            raise ShapeError(f"patches: {frames} frames x {bands} bands hold no patch of {size}; use smaller ones")
        return self.patches.channels, rows, columns

    def build(self, shape: Shape) -> nn.Module:
        width, frames, bands = self.output_shape(shape)
        return Patches(shape[0], width, self.patches.size, self.patches.positions or frames, bands)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach(self.patches.size, self.patches.size),)


class Patches(nn.Module):
    """(B, C, T, F) -> (B, width, T // size[0], F // size[1])."""

    def __init__(self, channels: int, width: int, size: tuple[int, int], frames: int, bands: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, size, size)
        self.time_positions = nn.Parameter(torch.zeros(width, frames))
        self.band_positions = nn.Parameter(torch.zeros(width, bands))

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        x_BCTF = self.conv(x_BCTF).float()
        times_CT = resampled(self.time_positions, x_BCTF.shape[2])
        return x_BCTF + times_CT.unsqueeze(2) + self.band_positions.unsqueeze(1)

    def draw_weights(self, generator: torch.Generator) -> None:
        """Torch's default for the convolution; positions normal with standard deviation 0.02."""
        bound = 1 / math.sqrt(self.conv.weight[0].numel())
        nn.init.uniform_(self.conv.weight, -bound, bound, generator=generator)
        if self.conv.bias is not None:
            nn.init.uniform_(self.conv.bias, -bound, bound, generator=generator)
        nn.init.normal_(self.time_positions, std=0.02, generator=generator)
        nn.init.normal_(self.band_positions, std=0.02, generator=generator)


def resampled(positions_CN: torch.Tensor, length: int) -> torch.Tensor:
    """The first `length` positions; where there are fewer, all of them stretched to it by linear interpolation.

    Equal to `torch.nn.functional.interpolate` with `align_corners=False`.
    """
    # Without a branch on the length, so that exported graphs can have a dynamic length.
    number = positions_CN.shape[1]
    index = torch.arange(length, device=positions_CN.device, dtype=torch.float32)
    longest = (index[-1:] + 1).clamp(min=number)
    place = ((index + 0.5) * number / longest - 0.5).clamp(0, number - 1)
    before = place.floor()
    left, right = before.long(), (before.long() + 1).clamp(max=number - 1)
    return torch.lerp(positions_CN[:, left], positions_CN[:, right], place - before)


def resize_patch_positions(tensors: dict[str, Any], network: nn.Module) -> dict[str, str]:
    """Cuts or stretches the positions in `tensors`, in place, to the numbers that `network` has.

    Returns a message for each changed tensor.
    """
    changed: dict[str, str] = {}
    for name, module in network.named_modules():
        if not isinstance(module, Patches):
            continue
        for part in ("time_positions", "band_positions"):
            theirs, ours = tensors.get(f"{name}.{part}"), getattr(module, part)
            if theirs is None or theirs.shape[:1] != ours.shape[:1] or theirs.shape == ours.shape:
                continue
            tensors[f"{name}.{part}"] = resampled(theirs, ours.shape[1])
            how = "cut" if theirs.shape[1] > ours.shape[1] else "stretched"
            changed[f"{name}.{part}"] = f"{theirs.shape[1]} positions {how} to {ours.shape[1]}"
    return changed


class AttentionConfig(Section):
    """A pre-norm transformer layer: self-attention, then a feed-forward network with GELU, each on the normalised
    input and with a residual connection (Dosovitskiy et al. 2021, arXiv 2010.11929)."""

    heads: int = Field(default=3, ge=1, le=256)
    """Number of attention heads."""
    hidden: Width | None = None
    """Hidden features of the feed-forward network; null: four times the channels."""
    dropout: Rate = 0.0
    """Dropout rate of attention weights, hidden features and the output of each sub-layer."""


class AttentionItem(BlockItem):
    """A pre-norm transformer layer over all frames and bands of a map, which keeps its shape. Positions come from
    `patches`."""

    attention: AttentionConfig

    def output_shape(self, shape: Shape) -> Shape:
        channels, _, _ = map_sizes(shape, "attention")
        if channels % self.attention.heads:
            raise ShapeError(f"attention: {channels} channels cannot be divided among {self.attention.heads} heads")
        return shape

    def build(self, shape: Shape) -> nn.Module:
        block = self.attention
        return AttentionLayer(shape[0], block.heads, block.hidden or 4 * shape[0], block.dropout)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach((shape[1], shape[2])),)


class AttentionLayer(nn.Module):
    """(B, C, T, F) -> same. Each cell is a token of C features."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_NORM_EPS)
        self.attention = Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width, eps=_NORM_EPS)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        clips, width, frames, bands = x_BCTF.shape
        # Channels last in memory, as this layer leaves them: no copy.
        x_BNC = x_BCTF.permute(0, 2, 3, 1).reshape(clips, frames * bands, width)
        x_BNC = x_BNC + self.dropout(self.attention(self.norm1(x_BNC)))
        hidden_BNH = self.dropout(F.gelu(self.linear1(self.norm2(x_BNC))))
        x_BNC = x_BNC + self.dropout(self.linear2(hidden_BNH))
        return x_BNC.reshape(clips, frames, bands, width).permute(0, 3, 1, 2)

    def draw_weights(self, generator: torch.Generator) -> None:
        """Linear layers normal with standard deviation 0.02, zero biases."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02, generator=generator)
                nn.init.zeros_(module.bias)
