"""The mn family's blocks, `mn_conv` and `mn_block`: MobileNetV3's inverted residual with squeeze-and-excitation.

Enters and leaves: maps (B, C, T, F). Source: Howard et al. 2019 (MobileNetV3-Large) as Schmid et al. 2022 (arXiv
2211.04772, "EfficientAT") use it for audio: batch-norm with eps 1e-3 and momentum 0.01, and a plain sigmoid in the
squeeze-and-excitation.
"""

import torch
from pydantic import Field, field_validator
from torch import nn

from audiosurvey.model.activations import PlainActivation, make_activation
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, map_sizes, same_length
from audiosurvey.section import Section

_EPS, _MOMENTUM = 1e-3, 0.01


class MnConvConfig(Section):
    """A convolution without bias, batch-norm, activation: first and last layer of the family."""

    channels: Width
    """Channels it makes."""
    kernel: Sides = (3, 3)
    """Kernel [frames, bands]."""
    stride: Sides = (1, 1)
    """Every how manieth position [frames, bands] is computed."""
    activation: PlainActivation = "hardswish"
    """Activation after the batch-norm."""


class MnBlockConfig(Section):
    """1 x 1 convolution to `expanded` channels, a convolution a channel, channels weighed, 1 x 1 convolution back."""

    expanded: Width
    """Channels inside. Where they are as many as come in, the first convolution is left out."""
    channels: Width
    """Channels it makes."""
    kernel: Sides = (3, 3)
    """Kernel [frames, bands] of the convolution a channel; odd sides."""
    stride: Sides = (1, 1)
    """Every how manieth position [frames, bands] is computed. With 1, and as many channels out as in, the input is
    added."""
    squeeze: int = Field(default=0, ge=0, le=65_536)
    """Width of the squeeze-and-excitation that weighs the inner channels by their means over the map; 0: none."""
    activation: PlainActivation = "relu"
    """Activation after the first and the second convolution; none follows the last."""

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: tuple[int, int]) -> tuple[int, int]:
        if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
            raise ValueError(f"sides are odd, so that the padding is alike on both ends; not {list(kernel)}")
        return kernel


class MnConvItem(BlockItem):
    """Convolution, batch-norm, activation, with the family's constants."""

    mn_conv: MnConvConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return _strided("mn_conv", shape, self.mn_conv.channels, self.mn_conv.stride)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        block = self.mn_conv
        return MnConv(shape[0], block.channels, block.kernel, block.stride, activation=block.activation)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return (same_reach(self.mn_conv.kernel, self.mn_conv.stride),)


class MnBlockItem(BlockItem):
    """An inverted residual block, with squeeze-and-excitation where `squeeze` is given."""

    mn_block: MnBlockConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return _strided("mn_block", shape, self.mn_block.channels, self.mn_block.stride)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        block = self.mn_block
        return MnBlock(
            shape[0], block.expanded, block.channels, block.kernel, block.stride, block.squeeze, block.activation
        )

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        # The convolutions' reach: the squeeze hears the whole map, and only as a weight a channel.
        return (same_reach(self.mn_block.kernel, self.mn_block.stride),)


class MnConv(nn.Module):
    """(B, C, T, F) -> (B, out, T / stride, F / stride), rounded up."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        groups: int = 1,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        self.conv = same_conv(channels, out, kernel, stride, groups, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=_EPS, momentum=_MOMENTUM)
        self.activation = make_activation(activation) if activation else nn.Identity()

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return self.activation(self.norm(self.conv(x_BCTF)))


class SqueezeExcite(nn.Module):
    """Weighs each channel by a number between 0 and 1 that follows from the means of all channels.

    sigmoid(W2 relu(W1 mean + b1) + b2); the sigmoid is plain, not the hard one of MobileNetV3's own.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, squeezed)
        self.excite = nn.Linear(squeezed, channels)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        mean_BC = x_BCTF.mean(dim=(2, 3))
        weight_BC = torch.sigmoid(self.excite(torch.relu(self.squeeze(mean_BC))))
        return x_BCTF * weight_BC[:, :, None, None]


class MnBlock(nn.Module):
    """(B, C, T, F) -> (B, out, T / stride, F / stride), rounded up.

    expand (where wider) -> depthwise -> squeeze-and-excitation (where asked for) -> project, and the input added.
    """

    def __init__(
        self,
        channels: int,
        expanded: int,
        out: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        squeeze: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.expand = MnConv(channels, expanded, activation=activation) if expanded != channels else nn.Identity()
        self.depthwise = MnConv(expanded, expanded, kernel, stride, groups=expanded, activation=activation)
        self.squeeze = SqueezeExcite(expanded, squeeze) if squeeze else nn.Identity()
        self.project = MnConv(expanded, out)
        self.adds = stride == (1, 1) and channels == out

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        y_BCTF = self.project(self.squeeze(self.depthwise(self.expand(x_BCTF))))
        return x_BCTF + y_BCTF if self.adds else y_BCTF


def _strided(block: str, shape: Shape, channels: int, stride: tuple[int, int]) -> Shape:
    _, frames, bands = map_sizes(shape, block)
    return channels, same_length(frames, stride[0]), same_length(bands, stride[1])
