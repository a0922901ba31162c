"""The `conv_block`: one or more convolutions with batch-norm and activation, then pooling."""

from pydantic import Field
from torch import nn

from audiosurvey.model.activations import PlainActivation, make_activation
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.pooling import PoolMode, make_pool, pooled_shape
from audiosurvey.model.shapes import Reach, Shape, strided_shape
from audiosurvey.section import Section


class ConvBlockConfig(Section):
    """Identical convolutions followed by pooling. PANNs use two 3 x 3 convolutions, or one of 5 x 5, and 2 x 2 average
    pooling."""

    channels: Width
    """Output channels of each convolution."""
    layers: int = Field(default=2, ge=1, le=16)
    """Number of convolutions, each followed by batch-norm and activation."""
    kernel: Sides = (3, 3)
    """Kernel size [frames, bands] of each convolution."""
    stride: Sides = (1, 1)
    """Stride [frames, bands] of the first convolution; cheaper and coarser than pooling."""
    dilation: Sides = (1, 1)
    """Dilation [frames, bands] of each convolution."""
    activation: PlainActivation = "relu"
    """Activation after each batch-norm."""
    pool: Sides = (2, 2)
    """Kernel size [frames, bands] of the pooling at the end; [1, 1] for none."""
    pool_mode: PoolMode = "avg"
    """Average pooling, max pooling, or the sum of both."""


class ConvBlockItem(BlockItem):
    """Convolutions without bias, each with batch-norm and activation, then pooling."""

    conv_block: ConvBlockConfig

    def output_shape(self, shape: Shape) -> Shape:
        block = self.conv_block
        return pooled_shape("conv_block", strided_shape("conv_block", shape, block.channels, block.stride), block.pool)

    def build(self, shape: Shape) -> nn.Module:
        block = self.conv_block
        layers: list[nn.Module] = []
        for index in range(block.layers):
            channels, stride = (shape[0], block.stride) if index == 0 else (block.channels, (1, 1))
            layers += conv_norm_act(channels, block.channels, block.kernel, stride, 1, block.activation, block.dilation)
        if block.pool != (1, 1):
            layers.append(make_pool(block.pool_mode, block.pool))
        return nn.Sequential(*layers)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
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
    """Convolution without bias, batch-norm, and an optional activation."""
    conv = same_conv(channels_in, channels_out, kernel, stride, groups, False, dilation)
    layers = [conv, nn.BatchNorm2d(channels_out)]
    return layers if activation is None else [*layers, make_activation(activation)]
