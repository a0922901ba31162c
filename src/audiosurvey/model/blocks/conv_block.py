"""The `conv_block`: convolution, batch-norm and activation, once or more, then pooling. The plain CNN's
brick."""

from pydantic import Field
from torch import nn

from audiosurvey.model.activations import PlainActivation, make_activation
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.pooling import PoolMode, make_pool, pooled_shape
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, map_sizes, same_length
from audiosurvey.section import Section


class ConvBlockConfig(Section):
    """A few equal convolutions and a pooling. PANNs' blocks are this: 3 x 3 twice, or 5 x 5 once, mean of 2 x
    2."""

    channels: Width
    """Channels that each convolution makes."""
    layers: int = Field(default=2, ge=1, le=16)
    """Convolutions in a row, each followed by batch-norm and activation."""
    kernel: Sides = (3, 3)
    """Kernel [frames, bands] of each convolution."""
    stride: Sides = (1, 1)
    """Every how manieth position [frames, bands] the first convolution computes; cheaper than pooling, and
    coarser."""
    dilation: Sides = (1, 1)
    """Distance [frames, bands] from each other of the positions that a kernel looks at."""
    activation: PlainActivation = "relu"
    """Activation after each batch-norm."""
    pool: Sides = (2, 2)
    """Size [frames, bands] of the pooling at the end; [1, 1] for none."""
    pool_mode: PoolMode = "avg"
    """Mean, maximum, or the sum of both."""


class ConvBlockItem(BlockItem):
    """Convolutions without bias, each with batch-norm and activation, then pooling."""

    conv_block: ConvBlockConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        block = self.conv_block
        _, frames, bands = map_sizes(shape, "conv_block")
        strided = block.channels, same_length(frames, block.stride[0]), same_length(bands, block.stride[1])
        return pooled_shape("conv_block", strided, block.pool)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        block = self.conv_block
        layers: list[nn.Module] = []
        for index in range(block.layers):
            channels, stride = (shape[0], block.stride) if index == 0 else (block.channels, (1, 1))
            layers += conv_norm_act(channels, block.channels, block.kernel, stride, 1, block.activation, block.dilation)
        if block.pool != (1, 1):
            layers.append(make_pool(block.pool_mode, block.pool))
        return nn.Sequential(*layers)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        block = self.conv_block
        rest = (same_reach(block.kernel, dilation=block.dilation),) * (block.layers - 1)
        return same_reach(block.kernel, block.stride, block.dilation), *rest, Reach(block.pool, block.pool)


def conv_norm_act(
    channels_in: int,
    channels_out: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    groups: int = 1,
    activation: str | None = "relu",
    dilation: tuple[int, int] = (1, 1),
) -> list[nn.Module]:
    """Convolution without bias (batch-norm has its own), batch-norm, and the activation if there is one."""
    layers = [
        same_conv(channels_in, channels_out, kernel, stride, groups, False, dilation),
        nn.BatchNorm2d(channels_out),
    ]
    return layers if activation is None else [*layers, make_activation(activation)]
