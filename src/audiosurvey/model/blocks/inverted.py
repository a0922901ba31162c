"""The `inverted` block: widen, look channel by channel, narrow, with a way around. MobileNetV2's brick."""

import torch
from pydantic import Field
from torch import nn

from audiosurvey.model.activations import PlainActivation
from audiosurvey.model.blocks.conv_block import conv_norm_act
from audiosurvey.model.blocks.convolution import same_reach
from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.pooling import pooled_shape
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.blocks.separable import depthwise
from audiosurvey.model.shapes import Reach, Shape
from audiosurvey.section import Section


class InvertedConfig(Section):
    """An inverted residual: wide inside, narrow outside."""

    channels: Width
    """Channels that leave it."""
    expand: int = Field(default=6, ge=1, le=64)
    """How many times as many channels it has inside; 1: the widening convolution is left out."""
    pool: Sides = (1, 1)
    """Size [frames, bands] of the mean between the convolution a channel and its norm, which makes the map smaller.
    Odd ends are left out."""
    activation: PlainActivation = "relu6"
    """Activation after the norms inside; none follows the last."""


class InvertedItem(BlockItem):
    """1 x 1 convolution, depthwise 3 x 3 convolution, 1 x 1 convolution, each with batch-norm; the input is added where
    the shape stays (MobileNetV2)."""

    inverted: InvertedConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        _, frames, bands = pooled_shape("inverted", shape, self.inverted.pool)
        return self.inverted.channels, frames, bands

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        block = self.inverted
        return Inverted(shape[0], block.channels, block.expand, block.pool, block.activation)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return same_reach((3, 3)), Reach(self.inverted.pool, self.inverted.pool)


class Inverted(nn.Module):
    """(B, C, T, F) -> (B, out, T / pool, F / pool), rounded down.

    Source: Sandler et al. 2018 (MobileNetV2), with the mean of PANNs (Kong et al. 2020) in place of the stride.
    """

    def __init__(self, channels: int, out: int, expand: int, pool: tuple[int, int], activation: str) -> None:
        super().__init__()
        inside = channels * expand
        widen = conv_norm_act(channels, inside, (1, 1), activation=activation) if expand > 1 else []
        self.body = nn.Sequential(
            *widen,
            *depthwise(inside, (3, 3), (1, 1), pool, activation),
            *conv_norm_act(inside, out, (1, 1), activation=None),
        )
        self.adds = pool == (1, 1) and channels == out

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return x_BCTF + self.body(x_BCTF) if self.adds else self.body(x_BCTF)
