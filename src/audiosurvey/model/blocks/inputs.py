"""The `input` and `join` blocks: where a network begins, and where what it made of the wave and of the spectrogram
comes together.

A network without `input` begins with the mel spectrogram. Each `input` begins a branch of its own; `join` ends all of
them. Between these two a block works on the branch that was begun last.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import nn

from audiosurvey.features.front_end import INPUTS, Input, NetworkInput
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Shape, ShapeError, is_map, map_sizes, shape_text


class InputItem(BlockItem):
    """Begins with the wave, a map of one channel and one band whose frames are samples, or with the mel spectrogram."""

    input: Input

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        """Of the input itself: (1, S) of a wave, (1, T, F) of a spectrogram."""
        return (*shape, 1) if self.input == "wave" else shape

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return Entry(self.input)


class JoinItem(BlockItem):
    """All branches side by side. `channels`: the channels of maps on one map, of equally many bands and equally many
    frames; one frame more, from rounding, is left out. `features`: those of branches that end in `pooling`."""

    join: Literal["channels", "features"]

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Of several branches; raises ShapeError where they do not go together."""
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
            raise ShapeError(f"join: the branches have other frames or bands than each other: {met}")
        return sum(channels for channels, _, _ in maps), min(frames), maps[0][2]

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return shape

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return Join() if self.join == "channels" else JoinFeatures()


class Entry(nn.Module):
    """Waves (B, 1, S) -> (B, 1, S, 1); spectrograms (B, 1, T, F) as they are."""

    def __init__(self, kind: Input) -> None:
        super().__init__()
        self.kind: Input = kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(-1) if self.kind == "wave" else x

    def extra_repr(self) -> str:
        return self.kind


class Join(nn.Module):
    """Maps (B, C_i, T_i, F) -> (B, sum of C_i, least T_i, F)."""

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        frames = min(x_BCTF.shape[2] for x_BCTF in maps)
        return torch.cat([x_BCTF[:, :, :frames] for x_BCTF in maps], dim=1)


class JoinFeatures(Join):
    """Features (B, N_i) -> (B, sum of N_i)."""

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(maps), dim=1)


def heard_by(blocks: Sequence[BlockItem]) -> tuple[Input, ...]:
    """What a network of these blocks is given, in the order in which it is given it."""
    named = {block.input for block in blocks if isinstance(block, InputItem)}
    if not blocks or not isinstance(blocks[0], InputItem):
        named.add("mel")
    return tuple(kind for kind in INPUTS if kind in named)


def by_input(hears: Iterable[Input], heard: NetworkInput) -> dict[Input, torch.Tensor]:
    """What a network is given, by name."""
    return dict(zip(hears, heard if isinstance(heard, tuple) else (heard,), strict=True))


def laid_out(heard: NetworkInput) -> NetworkInput:
    """The same values; spectrograms with their channels last in memory, on which convolutions are quick."""
    if isinstance(heard, tuple):
        return heard[0], heard[1].contiguous(memory_format=torch.channels_last)
    return heard.contiguous(memory_format=torch.channels_last) if heard.dim() == 4 else heard
