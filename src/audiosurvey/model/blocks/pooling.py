"""Pooling: `max_pool` over frames, `pool` over both axes, `mean` over bands, and `pooling`, from a map to features."""

from typing import Annotated, Literal

import torch
from torch import nn

from audiosurvey.model.blocks.fields import Side, Sides, takes
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes, pooled_length
from audiosurvey.section import Section

PoolMode = Literal["avg", "max", "avg+max"]


class MaxPoolItem(BlockItem):
    """Max pooling over frames, as [kernel, stride]; bands are not pooled."""

    max_pool: Annotated[tuple[Side, Side], takes("kernel and stride in frames, [kernel_t, stride_t]", 2)]

    def output_shape(self, shape: Shape) -> Shape:
        channels, frames, bands = map_sizes(shape, "max_pool")
        return channels, fitting("max_pool", "T", frames, *self.max_pool), bands

    def build(self, shape: Shape) -> nn.Module:
        kernel, stride = self.max_pool
        return nn.MaxPool2d((kernel, 1), (stride, 1))

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        kernel, stride = self.max_pool
        return (Reach((kernel, 1), (stride, 1)),)


class PoolConfig(Section):
    """Pooling over time and frequency."""

    mode: PoolMode = "avg"
    """Average pooling, max pooling, or the sum of both."""
    kernel: Sides = (2, 2)
    """Kernel size and stride [frames, bands]. Incomplete windows at the end are dropped."""


class PoolItem(BlockItem):
    """Pooling over both axes, with a stride equal to the kernel size."""

    pool: PoolConfig

    def output_shape(self, shape: Shape) -> Shape:
        return pooled_shape("pool", shape, self.pool.kernel)

    def build(self, shape: Shape) -> nn.Module:
        return make_pool(self.pool.mode, self.pool.kernel)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach(self.pool.kernel, self.pool.kernel),)


class MeanItem(BlockItem):
    """Mean over all bands, which leaves one; PANNs use it before `pooling: {mode: avg+max, flat: true}`."""

    mean: Literal["bands"]

    def output_shape(self, shape: Shape) -> Shape:
        channels, frames, _ = map_sizes(shape, "mean")
        return channels, frames, 1

    def build(self, shape: Shape) -> nn.Module:
        return BandMean()

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach((1, shape[2])),)


class PoolingConfig(Section):
    """Global pooling of a map into features."""

    mode: Literal["avg", "max", "sum", "mul", "avg+max"] = "avg"
    """Mean, maximum, sum or product; `avg+max` is the sum of mean and maximum."""
    flat: bool = False
    """true: pool over frames only, which gives C*F features; false: over frames and bands, C features."""


class PoolingItem(BlockItem):
    """Global pooling: turns a map of any length into features."""

    pooling: PoolingConfig

    def output_shape(self, shape: Shape) -> Shape:
        channels, _, bands = map_sizes(shape, "pooling")
        return (channels * bands,) if self.pooling.flat else (channels,)

    def build(self, shape: Shape) -> nn.Module:
        return Pooling(self.pooling.mode, self.pooling.flat)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach((shape[1], shape[2])),)


class AvgMaxPool(nn.Module):
    """Average pooling plus max pooling."""

    def __init__(self, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(kernel)
        self.maximum = nn.MaxPool2d(kernel)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return self.mean(x_BCTF) + self.maximum(x_BCTF)


class BandMean(nn.Module):
    """(B, C, T, F) -> (B, C, T, 1), in float32 under any autocast, like `pooling`."""

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return x_BCTF.float().mean(dim=3, keepdim=True)


class Pooling(nn.Module):
    """(B, C, T, F) -> (B, C*F) over frames (`flat`), or (B, C) over frames and bands.

    Computed in float32 under any autocast: sums and products over many frames overflow 16 bits.
    """

    def __init__(self, mode: str, flat: bool) -> None:
        super().__init__()
        self.mode = mode
        self.flat = flat

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        # The pooled axes become one, the last.
        x = (x_BCTF.transpose(2, 3) if self.flat else x_BCTF.flatten(2)).float()
        if self.mode == "avg":
            pooled = x.mean(-1)
        elif self.mode == "max":
            pooled = x.amax(-1)
        elif self.mode == "sum":
            pooled = x.sum(-1)
        elif self.mode == "mul":
            pooled = x.prod(-1)
        else:
            pooled = x.mean(-1) + x.amax(-1)
        return pooled.flatten(1)


def make_pool(mode: PoolMode, kernel: tuple[int, int]) -> nn.Module:
    table: dict[str, type[nn.Module]] = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d, "avg+max": AvgMaxPool}
    return table[mode](kernel)


def pooled_shape(block: str, shape: Shape, kernel: tuple[int, int]) -> Shape:
    channels, frames, bands = map_sizes(shape, block)
    sizes = zip("TF", (frames, bands), kernel, strict=True)
    return channels, *(fitting(block, axis, length, side, side) for axis, length, side in sizes)


def fitting(block: str, axis: str, length: int, kernel: int, stride: int) -> int:
    """Length after pooling; raises ShapeError if the kernel is longer than the input."""
    pooled = pooled_length(length, kernel, stride)
    if pooled < 1:
        raise ShapeError(f"{block}: kernel {kernel} leaves nothing of {axis} = {length}")
    return pooled
