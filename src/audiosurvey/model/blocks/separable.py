"""The `separable` block: a convolution a channel, then a 1 x 1 convolution across channels. Few
parameters."""

from torch import nn

from audiosurvey.model.activations import PlainActivation
from audiosurvey.model.blocks.conv_block import conv_norm_act
from audiosurvey.model.blocks.convolution import same_reach
from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.pooling import pooled_shape
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, map_sizes, same_length
from audiosurvey.section import Section


class SeparableConfig(Section):
    """A depthwise-separable convolution."""

    channels: Width
    """Channels it makes."""
    kernel: Sides = (3, 3)
    """Kernel [frames, bands] of the convolution a channel."""
    stride: Sides = (1, 1)
    """Every how manieth position [frames, bands] is computed."""
    pool: Sides = (1, 1)
    """Size [frames, bands] of a mean between the convolution a channel and its norm: what PANNs have for a stride. Odd
    ends are left out."""
    activation: PlainActivation = "relu"
    """Activation after each of the two batch-norms."""


class SeparableItem(BlockItem):
    """Depthwise convolution, batch-norm, activation; 1 x 1 convolution, batch-norm, activation
    (MobileNet)."""

    separable: SeparableConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        _, frames, bands = map_sizes(shape, "separable")
        stride_t, stride_f = self.separable.stride
        strided = self.separable.channels, same_length(frames, stride_t), same_length(bands, stride_f)
        return pooled_shape("separable", strided, self.separable.pool)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        block, channels = self.separable, shape[0]
        return nn.Sequential(
            *depthwise(channels, block.kernel, block.stride, block.pool, block.activation),
            *conv_norm_act(channels, block.channels, (1, 1), activation=block.activation),
        )

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return same_reach(self.separable.kernel, self.separable.stride), Reach(self.separable.pool, self.separable.pool)


def depthwise(
    channels: int, kernel: tuple[int, int], stride: tuple[int, int], pool: tuple[int, int], activation: str
) -> list[nn.Module]:
    """A convolution for each channel by itself, a mean where `pool` asks for one, batch-norm, and the activation."""
    conv, *norm_act = conv_norm_act(channels, channels, kernel, stride, channels, activation)
    return [conv, *norm_act] if pool == (1, 1) else [conv, nn.AvgPool2d(pool), *norm_act]
