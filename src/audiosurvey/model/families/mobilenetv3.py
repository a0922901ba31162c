"""The blocks of EfficientAT's MobileNets, `mn_conv` and `mn_block`: inverted residuals with squeeze-and-excitation.

Source: Howard et al. 2019 (MobileNetV3-Large) as adapted to audio by Schmid et al. 2022 (arXiv 2211.04772,
"EfficientAT"): batch-norm with eps 1e-3 and momentum 0.01, and a plain sigmoid in the squeeze-and-excitation.
"""

import torch
from pydantic import Field, field_validator
from torch import nn

from audiosurvey.model.activations import PlainActivation, make_activation
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Reach, Shape, strided_shape
from audiosurvey.section import Section

_EPS, _MOMENTUM = 1e-3, 0.01


class MnConvConfig(Section):
    """A convolution without bias, batch-norm, and activation: the first and last layers of EfficientAT's MobileNets."""

    channels: Width
    """Output channels."""
    kernel: Sides = (3, 3)
    """Kernel size [frames, bands]."""
    stride: Sides = (1, 1)
    """Stride [frames, bands]."""
    activation: PlainActivation = "hardswish"
    """Activation after the batch-norm."""


class MnBlockConfig(Section):
    """1 x 1 expansion, depthwise convolution, squeeze-and-excitation, 1 x 1 projection."""

    expanded: Width
    """Channels inside the block. The expansion is omitted if this equals the number of input channels."""
    channels: Width
    """Output channels."""
    kernel: Sides = (3, 3)
    """Kernel size [frames, bands] of the depthwise convolution; odd sides."""
    stride: Sides = (1, 1)
    """Stride [frames, bands] of the depthwise convolution. With a stride of 1 and equal input and output channels, the
    input is added."""
    squeeze: int = Field(default=0, ge=0, le=65_536)
    """Hidden features of the squeeze-and-excitation; 0 for none."""
    activation: PlainActivation = "relu"
    """Activation after the expansion and the depthwise convolution."""

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: tuple[int, int]) -> tuple[int, int]:
        if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
            raise ValueError(f"both sides must be odd, not {list(kernel)}")
        return kernel


class MnConvItem(BlockItem):
    """Convolution, batch-norm and activation, with the constants of EfficientAT."""

    mn_conv: MnConvConfig

    def output_shape(self, shape: Shape) -> Shape:
        return strided_shape("mn_conv", shape, self.mn_conv.channels, self.mn_conv.stride)

    def build(self, shape: Shape) -> nn.Module:
        block = self.mn_conv
        return MnConv(shape[0], block.channels, block.kernel, block.stride, activation=block.activation)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (same_reach(self.mn_conv.kernel, self.mn_conv.stride),)


class MnBlockItem(BlockItem):
    """An inverted residual block with optional squeeze-and-excitation."""

    mn_block: MnBlockConfig

    def output_shape(self, shape: Shape) -> Shape:
        return strided_shape("mn_block", shape, self.mn_block.channels, self.mn_block.stride)

    def build(self, shape: Shape) -> nn.Module:
        block = self.mn_block
        return MnBlock(
            shape[0], block.expanded, block.channels, block.kernel, block.stride, block.squeeze, block.activation
        )

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        # Without the squeeze-and-excitation, which averages over the whole map.
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
    """Scales each channel by sigmoid(W2 relu(W1 mean + b1) + b2), with the means of all channels over the map."""

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

    Expansion (if wider) -> depthwise -> squeeze-and-excitation (if any) -> projection, plus the input.
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
