"""Blocks for waveforms: `peak_norm` and `pad_multiple` before convolutions, `channels_to_bands` after them.

A waveform is a map (B, C, S, 1): its samples are frames, and it has one band.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from audiosurvey.model.blocks.fields import Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Shape, ShapeError, map_sizes

SILENT_PEAK = 1e-8
"""Clips with a lower peak count as silent and are not scaled."""


class PeakNormItem(BlockItem):
    """Normalises each clip to this peak value; silent clips are not changed. Makes the network invariant to level, so
    that `augmentation.gain` has no effect."""

    peak_norm: Annotated[float, Field(gt=0, le=1000)]

    def output_shape(self, shape: Shape) -> Shape:
        return map_sizes(shape, "peak_norm")

    def build(self, shape: Shape) -> nn.Module:
        return PeakNorm(self.peak_norm)


class PadMultipleItem(BlockItem):
    """Pads the end with zeros until the number of frames (samples of a waveform) is a multiple of this."""

    pad_multiple: Annotated[int, Field(ge=1, le=2**20)]

    def output_shape(self, shape: Shape) -> Shape:
        channels, frames, bands = map_sizes(shape, "pad_multiple")
        return channels, frames + -frames % self.pad_multiple, bands

    def build(self, shape: Shape) -> nn.Module:
        return PadMultiple(self.pad_multiple)


class ChannelsToBandsItem(BlockItem):
    """Turns groups of this many adjacent channels into the bands of one channel: a learned time-frequency
    representation (PANNs' wavegram)."""

    channels_to_bands: Width

    def output_shape(self, shape: Shape) -> Shape:
        channels, frames, bands = map_sizes(shape, "channels_to_bands")
        if bands != 1:
            raise ShapeError(f"channels_to_bands: the map has {bands} bands already")
        if channels % self.channels_to_bands:
            raise ShapeError(f"channels_to_bands: {channels} channels are not a multiple of {self.channels_to_bands}")
        return channels // self.channels_to_bands, frames, self.channels_to_bands

    def build(self, shape: Shape) -> nn.Module:
        return ChannelsToBands(self.channels_to_bands)


class PeakNorm(nn.Module):
    """(B, C, T, F) -> same: each clip divided by its maximum absolute value, times `peak`."""

    def __init__(self, peak: float) -> None:
        super().__init__()
        self.peak = peak

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        highest_B111 = x_BCTF.abs().amax(dim=(1, 2, 3), keepdim=True)
        gain_B111 = self.peak / highest_B111.clamp(min=SILENT_PEAK)
        return x_BCTF * torch.where(highest_B111 > SILENT_PEAK, gain_B111, 1.0)


class PadMultiple(nn.Module):
    """(B, C, T, F) -> (B, C, T', F), with T' the next multiple."""

    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.multiple = multiple

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return F.pad(x_BCTF, (0, 0, 0, -x_BCTF.shape[2] % self.multiple))


class ChannelsToBands(nn.Module):
    """(B, C, T, 1) -> (B, C / bands, T, bands): channel c is band c mod `bands` of channel c // bands."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bands = bands

    def forward(self, x_BCT1: torch.Tensor) -> torch.Tensor:
        return x_BCT1.squeeze(3).unflatten(1, (-1, self.bands)).transpose(2, 3)
