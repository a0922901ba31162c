"""The `input` and `join` blocks, which begin and concatenate the branches of a network.

Without an `input` block, a network begins with the mel spectrogram. Each `input` begins a branch, the blocks after it
work on that branch, and `join` concatenates all branches.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import nn

from audiosurvey.features.front_end import INPUTS, Input, NetworkInput
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Shape, ShapeError, is_map, map_sizes, shape_text


class InputItem(BlockItem):
    """Begins a branch with the waveform, as a map of one channel and one band whose frames are samples, or with the mel
    spectrogram."""

    input: Input

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape, 1) if self.input == "wave" else shape

    def build(self, shape: Shape) -> nn.Module:
        return Entry(self.input)


class JoinItem(BlockItem):
    """Concatenates all branches. `channels`: along the channels of maps with equal numbers of bands and frames; one
    extra frame, from rounding, is cut off. `features`: the features of branches that end in `pooling`."""

    join: Literal["channels", "features"]

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Output shape for all branches; raises ShapeError if they do not match."""
        if len(shapes) < 2:
            raise ShapeError("join: there is one branch only; begin another with `input: wave` or `input: mel`")
        if self.join == "features":
            if open_map := next((shape for shape in shapes if is_map(shape)), None):
                raise ShapeError(f"join: a branch is still a map, {shape_text(open_map)}; end it with `pooling`")
            return (sum(features for (features,) in shapes),)
        maps = [map_sizes(shape, "join") for shape in shapes]
        frames = [frames for _, frames, _ in maps]
        if max(frames) - min(frames) > 1 or len({bands for _, _, bands in maps}) > 1:
            met = " and ".join(shape_text(shape) for shape in shapes)
            raise ShapeError(f"join: the branches differ in frames or bands: {met}")
        return sum(channels for channels, _, _ in maps), min(frames), maps[0][2]

    def build(self, shape: Shape) -> nn.Module:
        return Join() if self.join == "channels" else JoinFeatures()


class Entry(nn.Module):
    """Waves (B, 1, S) -> (B, 1, S, 1); spectrograms (B, 1, T, F) unchanged."""

    def __init__(self, kind: Input) -> None:
        super().__init__()
        self.kind: Input = kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(-1) if self.kind == "wave" else x


class Join(nn.Module):
    """Maps (B, C_i, T_i, F) -> (B, sum of C_i, min of T_i, F)."""

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        frames = min(x_BCTF.shape[2] for x_BCTF in maps)
        return torch.cat([x_BCTF[:, :, :frames] for x_BCTF in maps], dim=1)


class JoinFeatures(Join):
    """Features (B, N_i) -> (B, sum of N_i)."""

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(maps), dim=1)


def heard_by(blocks: Sequence[BlockItem]) -> tuple[Input, ...]:
    """The inputs of a network of these blocks, in the order of its `forward`."""
    named = {block.input for block in blocks if isinstance(block, InputItem)}
    if not blocks or not isinstance(blocks[0], InputItem):
        named.add("mel")
    return tuple(kind for kind in INPUTS if kind in named)


def by_input(hears: Iterable[Input], heard: NetworkInput) -> dict[Input, torch.Tensor]:
    """The inputs of a network by name."""
    return dict(zip(hears, heard if isinstance(heard, tuple) else (heard,), strict=True))


def laid_out(heard: NetworkInput) -> NetworkInput:
    """The same values, with spectrograms in channels-last memory format, which makes convolutions faster."""
    if isinstance(heard, tuple):
        return heard[0], heard[1].contiguous(memory_format=torch.channels_last)
    return heard.contiguous(memory_format=torch.channels_last) if heard.dim() == 4 else heard
