"""The `separable` block: a depthwise convolution, then a 1 x 1 (pointwise) convolution."""

from torch import nn

from audiosurvey.model.activations import PlainActivation
from audiosurvey.model.blocks.conv_block import conv_norm_act
from audiosurvey.model.blocks.convolution import same_reach
from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.pooling import pooled_shape
from audiosurvey.model.shapes import Reach, Shape, strided_shape
from audiosurvey.section import Section


class SeparableConfig(Section):
    """A depthwise-separable convolution."""

    channels: Width
    """Output channels."""
    kernel: Sides = (3, 3)
    """Kernel size [frames, bands] of the depthwise convolution."""
    stride: Sides = (1, 1)
    """Stride [frames, bands] of the depthwise convolution."""
    pool: Sides = (1, 1)
    """Average pooling [frames, bands] between the depthwise convolution and its norm, used by PANNs instead of a
    stride. Incomplete windows at the end are dropped."""
    activation: PlainActivation = "relu"
    """Activation after each of the two batch-norms."""


class SeparableItem(BlockItem):
    """Depthwise convolution, batch-norm, activation; 1 x 1 convolution, batch-norm, activation (MobileNet)."""

    separable: SeparableConfig

    def output_shape(self, shape: Shape) -> Shape:
        block = self.separable
        return pooled_shape("separable", strided_shape("separable", shape, block.channels, block.stride), block.pool)

    def build(self, shape: Shape) -> nn.Module:
        block, channels = self.separable, shape[0]
        return nn.Sequential(
            *depthwise(channels, block.kernel, block.stride, block.pool, block.activation),
            *conv_norm_act(channels, block.channels, (1, 1), activation=block.activation),
        )

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return same_reach(self.separable.kernel, self.separable.stride), Reach(self.separable.pool, self.separable.pool)


def depthwise(
    channels: int, kernel: tuple[int, int], stride: tuple[int, int], pool: tuple[int, int], activation: str
) -> list[nn.Module]:
    """Depthwise convolution, average pooling unless `pool` is (1, 1), batch-norm and activation."""
    conv, *norm_act = conv_norm_act(channels, channels, kernel, stride, channels, activation)
    return [conv, *norm_act] if pool == (1, 1) else [conv, nn.AvgPool2d(pool), *norm_act]
