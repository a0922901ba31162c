"""The `mean` block: the map without its mel bands, before `pooling` looks along time."""

from typing import Literal

import torch
from torch import nn

from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, map_sizes


class MeanItem(BlockItem):
    """The mean over all bands, which leaves one; PANNs take it before `pooling: {mode: avg+max, flat: true}`."""

    mean: Literal["bands"]

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        channels, frames, _ = map_sizes(shape, "mean")
        return channels, frames, 1

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return BandMean()

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return (Reach((1, shape[2])),)


class BandMean(nn.Module):
    """(B, C, T, F) -> (B, C, T, 1), in float32 under any autocast, as `pooling`."""

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return x_BCTF.float().mean(dim=3, keepdim=True)
