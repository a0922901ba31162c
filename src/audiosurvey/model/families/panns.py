"""The `panns_residual` block: the basic and bottleneck blocks of PANNs' ResNets, which pool where others stride."""

import torch
from torch import nn

from audiosurvey.model.blocks.conv_block import conv_norm_act
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Rate, Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.pooling import pooled_shape
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape
from audiosurvey.section import Section

EXPANSION = 4
"""Channels that leave a bottleneck, for each that its 3 x 3 convolution makes."""


class PannsResidualConfig(Section):
    """relu(norm(conv(dropout(relu(norm(conv(x)))))) + way around), on the mean of `pool` first."""

    channels: Width
    """Channels of the 3 x 3 convolutions; four times as many leave a bottleneck."""
    bottleneck: bool = False
    """false: two 3 x 3 convolutions; true: one, between 1 x 1 convolutions that narrow and widen."""
    pool: Sides = (1, 1)
    """Size [frames, bands] of the mean that makes the map smaller before the first convolution. Odd ends are left
    out."""
    dropout: Rate = 0.1
    """Share of single cells dropped before the last convolution."""


class PannsResidualItem(BlockItem):
    """A residual block of PANNs (`residual` strides instead, and drops whole channels)."""

    panns_residual: PannsResidualConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        block = self.panns_residual
        _, frames, bands = pooled_shape("panns_residual", shape, block.pool)
        return block.channels * (EXPANSION if block.bottleneck else 1), frames, bands

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        block = self.panns_residual
        return PannsResidual(shape[0], block.channels, block.bottleneck, block.pool, block.dropout)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        block = self.panns_residual
        threes = (same_reach((3, 3)),) * (1 if block.bottleneck else 2)
        return Reach(block.pool, block.pool), *threes


class PannsResidual(nn.Module):
    """(B, C, T, F) -> (B, out, T / pool, F / pool), rounded down.

    The last norm of the body starts at 0, so the way around alone speaks at first. Where the shape changes, that is a
    mean and a 1 x 1 convolution with norm. Source: Kong et al. 2020 (PANNs), after He et al. 2016.
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
        # Both ways take the same mean of the input.
        x_BCTF = self.pool(x_BCTF)
        return torch.relu(self.body(x_BCTF) + self.around(x_BCTF))
