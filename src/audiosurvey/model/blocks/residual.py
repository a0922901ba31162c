"""The `residual` block: two convolutions with a way around them, and a stride for both. The ResNet's
brick."""

import torch
from torch import nn

from audiosurvey.model.activations import PlainActivation, make_activation
from audiosurvey.model.blocks.conv_block import conv_norm_act
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Rate, Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, map_sizes, same_length
from audiosurvey.section import Section


class ResidualConfig(Section):
    """A basic block: activation(norm(conv(dropout(activation(norm(conv(x)))))) + way around)."""

    channels: Width
    """Channels of both convolutions."""
    kernel: Sides = (3, 3)
    """Kernel [frames, bands] of both convolutions."""
    stride: Sides = (1, 1)
    """Every how manieth position [frames, bands] is kept."""
    activation: PlainActivation = "relu"
    """Activation after the first norm and after the sum."""
    dropout: Rate = 0.0
    """Share of whole channels dropped between the convolutions."""


class ResidualItem(BlockItem):
    """A residual block with norm after each convolution (`res` has its norms before them)."""

    residual: ResidualConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        _, frames, bands = map_sizes(shape, "residual")
        stride_t, stride_f = self.residual.stride
        return self.residual.channels, same_length(frames, stride_t), same_length(bands, stride_f)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        block = self.residual
        return Residual(shape[0], block.channels, block.kernel, block.stride, block.activation, block.dropout)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return same_reach(self.residual.kernel, self.residual.stride), same_reach(self.residual.kernel)


class Residual(nn.Module):
    """(B, C, T, F) -> (B, out, T / stride, F / stride), rounded up.

    Where the shape changes, the way around takes the mean of each stride and a 1 x 1 convolution with
    batch-norm, so that no position is skipped. Source: He et al. 2016, with the mean of He, T. et al. 2019
    ("ResNet-D").
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
        # The way around alone speaks at first: a small training set is then learned from coarse features before
        # fine ones, and sounds at pitches that it lacks are judged far better.
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
