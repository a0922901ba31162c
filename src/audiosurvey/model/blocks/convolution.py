"""Convolutions with 'same' padding, and the `conv` block, a plain convolution."""

import torch
import torch.nn.functional as F
from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.input_gradient import has_fast_gradient, with_input_gradient
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Reach, Shape, ShapeError, strided_shape
from audiosurvey.section import Section


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with a faster gradient for spectrograms of one channel (`input_gradient.py`).

    It also applies the stride of a 1 x 1 kernel by slicing the input first; the results are the same.
    With the stride in the convolution, oneDNN's bf16 weight gradient writes out of bounds for fewer than 16 channels
    (torch 2.13, CPUs with AVX-512 BF16).
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if has_fast_gradient(self, input):
            return with_input_gradient(self, input)
        if self.kernel_size != (1, 1) or self.stride == (1, 1) or self.padding != (0, 0):
            return super().forward(input)
        stride_t, stride_f = self.stride
        taken_BCTF = input[:, :, ::stride_t, ::stride_f]
        return F.conv2d(taken_BCTF, self.weight, self.bias, groups=self.groups)


def same_conv(
    channels_in: int,
    channels_out: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    groups: int = 1,
    bias: bool = True,
    dilation: tuple[int, int] = (1, 1),
) -> Conv2d:
    """A convolution with symmetric 'same' padding.

    The dilation of an even kernel side k is doubled: its extent 2k - 1 is odd, with k - 1 zeros on either side.
    """
    (extent_t, extent_f), _ = same_reach(kernel, stride, dilation)
    step_t, step_f = (step if side % 2 else 2 * step for side, step in zip(kernel, dilation, strict=True))
    padding = extent_t // 2, extent_f // 2
    return Conv2d(channels_in, channels_out, kernel, stride, padding, (step_t, step_f), groups, bias)


def same_reach(kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), dilation: tuple[int, int] = (1, 1)) -> Reach:
    extent = [(side - 1) * (step if side % 2 else 2 * step) + 1 for side, step in zip(kernel, dilation, strict=True)]
    return Reach((extent[0], extent[1]), stride)


class ConvConfig(Section):
    """A plain convolution."""

    channels: Width
    """Output channels."""
    kernel: Sides = (3, 3)
    """Kernel size [frames, bands]."""
    stride: Sides = (1, 1)
    """Stride [frames, bands]."""
    groups: int = Field(default=1, ge=1)
    """Number of channel groups; as many as channels for a depthwise convolution."""
    bias: bool = True
    """Add a learned bias; redundant before `norm: batch`."""

    @field_validator("groups")
    @classmethod
    def _divides(cls, groups: int, info: ValidationInfo) -> int:
        channels = info.data.get("channels")
        if channels is not None and channels % groups:
            raise ValueError(f"{channels} channels cannot be split into {groups} equal groups")
        return groups


class ConvItem(BlockItem):
    """A convolution with 'same' padding, without norm or activation."""

    conv: ConvConfig

    def output_shape(self, shape: Shape) -> Shape:
        output = strided_shape("conv", shape, self.conv.channels, self.conv.stride)
        if shape[0] % self.conv.groups:
            raise ShapeError(f"conv: {shape[0]} channels cannot be split into {self.conv.groups} equal groups")
        return output

    def build(self, shape: Shape) -> nn.Module:
        conv = self.conv
        return same_conv(shape[0], conv.channels, conv.kernel, conv.stride, conv.groups, conv.bias)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (same_reach(self.conv.kernel, self.conv.stride),)
