"""Convolutions with 'same' padding, and the `conv` block: one plain convolution."""

import torch
import torch.nn.functional as F
from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from audiosurvey.model.blocks.fields import Sides, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, ShapeError, effective_side, map_sizes, same_length
from audiosurvey.section import Section


class Conv2d(nn.Conv2d):
    """torch's convolution, but that a 1 x 1 kernel with a stride first takes the positions that it needs.

    The numbers are the same. With the stride in the convolution, oneDNN's gradient of the weights writes beyond its
    memory in bf16 where there are fewer than 16 channels (torch 2.13 on a processor with AVX-512 BF16).
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
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
    """A convolution that keeps T and F (or takes every stride-th position), padded alike on both ends.

    An even kernel side gets twice the dilation: its extent 2k - 1 is odd, so (k - 1) zeros stand on either end.
    """
    padding = tuple((_extent(side, step) - 1) // 2 for side, step in zip(kernel, dilation, strict=True))
    apart = tuple(step if side % 2 else 2 * step for side, step in zip(kernel, dilation, strict=True))
    return Conv2d(
        channels_in,
        channels_out,
        kernel,
        stride=stride,
        padding=(padding[0], padding[1]),
        dilation=(apart[0], apart[1]),
        groups=groups,
        bias=bias,
    )


def same_reach(kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), dilation: tuple[int, int] = (1, 1)) -> Reach:
    return Reach((_extent(kernel[0], dilation[0]), _extent(kernel[1], dilation[1])), stride)


def _extent(side: int, apart: int) -> int:
    """What a kernel side spans when its values are `apart` positions from each other."""
    return (effective_side(side) - 1) * apart + 1


class ConvConfig(Section):
    """One convolution."""

    channels: Width
    """Channels it makes."""
    kernel: Sides = (3, 3)
    """Kernel [frames, bands]."""
    stride: Sides = (1, 1)
    """Every how manieth position [frames, bands] is computed."""
    groups: int = Field(default=1, ge=1)
    """Groups of channels that do not see each other; as many as channels for a depthwise convolution."""
    bias: bool = True
    """Adds a constant to each channel; superfluous where `norm: batch` follows."""

    @field_validator("groups")
    @classmethod
    def _divides(cls, groups: int, info: ValidationInfo) -> int:
        channels = info.data.get("channels")
        if channels is not None and channels % groups:
            raise ValueError(f"{channels} channels cannot be split into {groups} equal groups")
        return groups


class ConvItem(BlockItem):
    """A plain convolution with 'same' padding, without norm or activation."""

    conv: ConvConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        channels, frames, bands = map_sizes(shape, "conv")
        if channels % self.conv.groups:
            raise ShapeError(f"conv: {channels} channels cannot be split into {self.conv.groups} equal groups")
        stride_t, stride_f = self.conv.stride
        return self.conv.channels, same_length(frames, stride_t), same_length(bands, stride_f)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        conv = self.conv
        return same_conv(shape[0], conv.channels, conv.kernel, conv.stride, conv.groups, conv.bias)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return (same_reach(self.conv.kernel, self.conv.stride),)
