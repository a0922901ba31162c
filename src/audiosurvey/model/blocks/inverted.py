"""The `inverted` block: the inverted residual of MobileNetV2."""

import torch
from pydantic import Field
from torch import nn

from audiosurvey.model.activations import PlainActivation
from audiosurvey.model.blocks.conv_block import conv_norm_act
from audiosurvey.model.blocks.convolution import same_reach
from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.pooling import pooled_shape
from audiosurvey.model.blocks.separable import depthwise
from audiosurvey.model.shapes import Reach, Shape
from audiosurvey.section import Section


class InvertedConfig(Section):
    """An inverted residual block: more channels inside than at its ends."""

    channels: Width
    """Output channels."""
    expand: int = Field(default=6, ge=1, le=64)
    """Expansion factor: channels inside the block relative to its input. 1 omits the expanding convolution."""
    pool: Sides = (1, 1)
    """Average pooling [frames, bands] between the depthwise convolution and its norm. Incomplete windows at the end are
    dropped."""
    activation: PlainActivation = "relu6"
    """Activation after every norm but the last."""


class InvertedItem(BlockItem):
    """1 x 1 convolution, depthwise 3 x 3 convolution, 1 x 1 convolution, each with batch-norm; the input is added if
    the shape is unchanged (MobileNetV2)."""

    inverted: InvertedConfig

    def output_shape(self, shape: Shape) -> Shape:
        _, frames, bands = pooled_shape("inverted", shape, self.inverted.pool)
        return self.inverted.channels, frames, bands

    def build(self, shape: Shape) -> nn.Module:
        block = self.inverted
        return Inverted(shape[0], block.channels, block.expand, block.pool, block.activation)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return same_reach((3, 3)), Reach(self.inverted.pool, self.inverted.pool)


class Inverted(nn.Module):
    """(B, C, T, F) -> (B, out, T / pool, F / pool), rounded down.

    Source: Sandler et al. 2018 (MobileNetV2), with the average pooling of PANNs (Kong et al. 2020) instead of strides.
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
