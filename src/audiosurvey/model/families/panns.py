"""The `panns_residual` block: the basic and bottleneck blocks of PANNs' ResNets, with pooling instead of strides."""

import torch
from torch import nn

from audiosurvey.model.blocks.conv_block import conv_norm_act
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Rate, Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.pooling import pooled_shape
from audiosurvey.model.shapes import Reach, Shape
from audiosurvey.section import Section

EXPANSION = 4
"""Output channels of a bottleneck relative to those of its 3 x 3 convolution."""


class PannsResidualConfig(Section):
    """Average pooling, then relu(norm(conv(dropout(relu(norm(conv(x)))))) + shortcut)."""

    channels: Width
    """Channels of the 3 x 3 convolutions; a bottleneck has four times as many output channels."""
    bottleneck: bool = False
    """false: two 3 x 3 convolutions; true: one, between two 1 x 1 convolutions."""
    pool: Sides = (1, 1)
    """Average pooling [frames, bands] before the first convolution. Incomplete windows at the end are dropped."""
    dropout: Rate = 0.1
    """Rate of element-wise dropout before the last convolution."""


class PannsResidualItem(BlockItem):
    """A residual block of PANNs (`residual` uses strides and channel dropout instead)."""

    panns_residual: PannsResidualConfig

    def output_shape(self, shape: Shape) -> Shape:
        block = self.panns_residual
        _, frames, bands = pooled_shape("panns_residual", shape, block.pool)
        return block.channels * (EXPANSION if block.bottleneck else 1), frames, bands

    def build(self, shape: Shape) -> nn.Module:
        block = self.panns_residual
        return PannsResidual(shape[0], block.channels, block.bottleneck, block.pool, block.dropout)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        block = self.panns_residual
        threes = (same_reach((3, 3)),) * (1 if block.bottleneck else 2)
        return Reach(block.pool, block.pool), *threes


class PannsResidual(nn.Module):
    """(B, C, T, F) -> (B, out, T / pool, F / pool), rounded down.

    The last norm is zero-initialised, so that the block starts as its shortcut, which has a 1 x 1 convolution with norm
    where the shape changes. Source: Kong et al. 2020 (PANNs), after He et al. 2016.
    """

    def __init__(self, channels: int, width: int, bottleneck: bool, pool: tuple[int, int], dropout: float) -> None:
        super().__init__()
        out = width * EXPANSION if bottleneck else width
        if bottleneck:
            entry = [*conv_norm_act(channels, width, (1, 1)), *conv_norm_act(width, width, (3, 3))]
        else:
            entry = conv_norm_act(channels, width, (3, 3))
        last_norm = nn.BatchNorm2d(out)
        nn.init.zeros_(last_norm.weight)
        last = same_conv(width, out, (1, 1) if bottleneck else (3, 3), bias=False)
        self.pool = nn.Identity() if pool == (1, 1) else nn.AvgPool2d(pool)
        self.body = nn.Sequential(*entry, nn.Dropout(dropout), last, last_norm)
        changes = pool != (1, 1) or channels != out
        self.around = nn.Sequential(*conv_norm_act(channels, out, (1, 1), activation=None) if changes else ())

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        x_BCTF = self.pool(x_BCTF)
        return torch.relu(self.body(x_BCTF) + self.around(x_BCTF))
