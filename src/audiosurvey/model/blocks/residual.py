"""The `residual` block: two convolutions with a shortcut, the basic block of ResNet."""

import torch
from torch import nn

from audiosurvey.model.activations import PlainActivation, make_activation
from audiosurvey.model.blocks.conv_block import conv_norm_act
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Rate, Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Reach, Shape, strided_shape
from audiosurvey.section import Section


class ResidualConfig(Section):
    """A basic residual block: activation(norm(conv(dropout(activation(norm(conv(x)))))) + shortcut)."""

    channels: Width
    """Output channels of both convolutions."""
    kernel: Sides = (3, 3)
    """Kernel size [frames, bands] of both convolutions."""
    stride: Sides = (1, 1)
    """Stride [frames, bands] of the first convolution."""
    activation: PlainActivation = "relu"
    """Activation after the first norm and after the sum."""
    dropout: Rate = 0.0
    """Rate of channel dropout between the convolutions."""


class ResidualItem(BlockItem):
    """A post-activation residual block: norm after each convolution (`res` is pre-activation)."""

    residual: ResidualConfig

    def output_shape(self, shape: Shape) -> Shape:
        return strided_shape("residual", shape, self.residual.channels, self.residual.stride)

    def build(self, shape: Shape) -> nn.Module:
        block = self.residual
        return Residual(shape[0], block.channels, block.kernel, block.stride, block.activation, block.dropout)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return same_reach(self.residual.kernel, self.residual.stride), same_reach(self.residual.kernel)


class Residual(nn.Module):
    """(B, C, T, F) -> (B, out, T / stride, F / stride), rounded up.

    Where the shape changes, the shortcut is average pooling and a 1 x 1 convolution with batch-norm. Source: He et al.
    2016, with the average pooling of He, T. et al. 2019 ("ResNet-D").
    """

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        last_norm = nn.BatchNorm2d(out)
        # Zero-initialised, so that the block starts as its shortcut: on small training sets the network then learns
        # coarse features first, and generalises far better to unseen pitches.
        nn.init.zeros_(last_norm.weight)
        inside = [nn.Dropout2d(dropout)] if dropout else []
        self.body = nn.Sequential(
            *conv_norm_act(channels, out, kernel, stride, activation=activation),
            *inside,
            same_conv(out, out, kernel, bias=False),
            last_norm,
        )
        around: list[nn.Module] = []
        if stride != (1, 1):
            around.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if around or channels != out:
            around += conv_norm_act(channels, out, (1, 1), activation=None)
        self.around = nn.Sequential(*around)
        self.activation = make_activation(activation)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return self.activation(self.body(x_BCTF) + self.around(x_BCTF))
