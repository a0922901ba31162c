"""The blocks of EAT, a network on waveforms: `wave_conv`, `wave_down` and `res_tf`.

Source: Gazneli et al. 2022, "End-to-End Audio Strikes Back" (arXiv 2204.11479), and the authors' code. All use
reflection padding, and zeros beyond it where a map is too short.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from audiosurvey.model.blocks.fields import Side, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes
from audiosurvey.section import Section

SLOPE = 0.2
"""Negative slope of LeakyReLU."""


class WaveConvConfig(Section):
    """A convolution over frames."""

    channels: Width
    """Output channels."""
    kernel: Side = 7
    """Kernel size in frames, an odd number."""


class WaveDownConfig(Section):
    """A convolution and strided blur pooling."""

    channels: Width
    """Output channels."""
    stride: int = Field(default=4, ge=2, le=64)
    """Downsampling factor. The kernel size of the convolution is `stride` + 1."""


class ResTfConfig(Section):
    """Three parallel branches whose outputs are added."""

    kernel: Side = 15
    """Kernel size in frames of the depthwise branch, an odd number."""
    dilation: int = Field(default=1, ge=1, le=4096)
    """Dilation of the depthwise branch."""


class WaveConvItem(BlockItem):
    """A convolution over frames without bias, batch-norm, and LeakyReLU of slope 0.2: the stem of EAT."""

    wave_conv: WaveConvConfig

    def output_shape(self, shape: Shape) -> Shape:
        _, frames, bands = map_sizes(shape, "wave_conv")
        _odd("wave_conv", self.wave_conv.kernel)
        return self.wave_conv.channels, frames, bands

    def build(self, shape: Shape) -> nn.Module:
        return ReflectConv(shape[0], self.wave_conv.channels, self.wave_conv.kernel, self.wave_conv.kernel // 2)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach((self.wave_conv.kernel, 1)),)


class WaveDownItem(BlockItem):
    """Anti-aliased downsampling: `wave_conv`, then a fixed triangular filter with a stride (EAT)."""

    wave_down: WaveDownConfig

    def output_shape(self, shape: Shape) -> Shape:
        _, frames, bands = map_sizes(shape, "wave_down")
        stride = self.wave_down.stride
        # With an odd stride the kernel is even, and the padding adds one frame.
        return self.wave_down.channels, (frames + stride % 2 - 1) // stride + 1, bands

    def build(self, shape: Shape) -> nn.Module:
        channels, stride = self.wave_down.channels, self.wave_down.stride
        return nn.Sequential(ReflectConv(shape[0], channels, stride + 1, (stride + 1) // 2), BlurDown(stride))

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        stride = self.wave_down.stride
        return Reach((stride + 1, 1)), Reach((2 * stride + 1, 1), (stride, 1))


class ResTfItem(BlockItem):
    """A residual block of EAT: the sum of a pointwise convolution with norm, a depthwise convolution over time with
    norm, and a plain 1 x 1 convolution as the shortcut."""

    res_tf: ResTfConfig

    def output_shape(self, shape: Shape) -> Shape:
        _odd("res_tf", self.res_tf.kernel)
        return map_sizes(shape, "res_tf")

    def build(self, shape: Shape) -> nn.Module:
        return ResTf(shape[0], self.res_tf.kernel, self.res_tf.dilation)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach(((self.res_tf.kernel - 1) * self.res_tf.dilation + 1, 1)),)


class ReflectConv(nn.Module):
    """(B, C, T, F) -> (B, out, T, F) for odd kernels: reflection padding, convolution, batch-norm, LeakyReLU."""

    def __init__(self, channels: int, out: int, kernel: int, pad: int, dilation: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.pad = pad
        self.conv = nn.Conv2d(channels, out, (kernel, 1), dilation=(dilation, 1), groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(self.norm(self.conv(reflected(x_BCTF, self.pad))), SLOPE)


class BlurDown(nn.Module):
    """Blur pooling (B, C, T, F) -> (B, C, (T - 1) // stride + 1, F).

    The filter is a triangle of 2 stride + 1 taps, normalised to a sum of 1. It follows from the stride, so its buffer
    is not stored.
    """

    taps: torch.Tensor

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        rising = torch.arange(1, stride + 2, dtype=torch.float32)
        taps = torch.cat([rising, rising[:-1].flip(0)]) / (stride + 1) ** 2
        self.register_buffer("taps", taps[None, None, :, None], persistent=False)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        channels = x_BCTF.shape[1]
        # In float32 under any autocast: the gradient of this convolution in bf16 is 30 times slower on CPUs.
        with _no_autocast(x_BCTF.device):
            padded_BCTF = reflected(x_BCTF.float(), self.stride)
            filters = self.taps.expand(channels, -1, -1, -1)
            blurred_BCTF = F.conv2d(padded_BCTF, filters, stride=(self.stride, 1), groups=channels)
        return blurred_BCTF.to(x_BCTF.dtype)

    def own_macs(self, output: torch.Tensor) -> int:
        return output.numel() * self.taps.numel()


class ResTf(nn.Module):
    """(B, C, T, F) -> same: the sum of three branches; `around` is a plain 1 x 1 convolution."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(channels, channels, 1)
        self.across = ReflectConv(channels, channels, 1, 0)
        pad = (kernel - 1) * dilation // 2
        self.along = ReflectConv(channels, channels, kernel, pad, dilation, groups=channels)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return self.around(x_BCTF) + self.across(x_BCTF) + self.along(x_BCTF)


def reflected(x_BCTF: torch.Tensor, pad: int) -> torch.Tensor:
    """Reflection padding by `pad` frames at both ends, continued with zeros where the map is too short."""
    mirrored = min(pad, x_BCTF.shape[2] - 1)
    if mirrored > 0:
        x_BCTF = F.pad(x_BCTF, (0, 0, mirrored, mirrored), mode="reflect")
    rest = pad - mirrored
    return F.pad(x_BCTF, (0, 0, rest, rest)) if rest > 0 else x_BCTF


def _no_autocast(device: torch.device) -> AbstractContextManager[Any]:
    # Shapes are traced on the meta device, which has no autocast.
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def _odd(block: str, kernel: int) -> None:
    if kernel % 2 == 0:
        raise ShapeError(f"{block}: kernel must be odd, not {kernel}")
