"""Pooling: `max_pool` along time, `pool` along both axes, and `pooling`, which turns a map into features."""

from typing import Annotated, Literal

import torch
from torch import nn

from audiosurvey.model.blocks.fields import Side, Sides, takes
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes, pooled_length
from audiosurvey.section import Section

PoolMode = Literal["avg", "max", "avg+max"]


class MaxPoolItem(BlockItem):
    """Maximum over frames; the bands stay apart."""

    max_pool: Annotated[tuple[Side, Side], takes("kernel and stride in frames, [kernel_t, stride_t]", 2)]

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        channels, frames, bands = map_sizes(shape, "max_pool")
        return channels, fitting("max_pool", "T", frames, *self.max_pool), bands

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        kernel, stride = self.max_pool
        return nn.MaxPool2d((kernel, 1), (stride, 1))

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        kernel, stride = self.max_pool
        return (Reach((kernel, 1), (stride, 1)),)


class PoolConfig(Section):
    """Pooling along time and frequency."""

    mode: PoolMode = "avg"
    """Mean, maximum, or the sum of both."""
    kernel: Sides = (2, 2)
    """Size [frames, bands] of what becomes one value; also the step. Odd ends are left out."""


class PoolItem(BlockItem):
    """Pooling along both axes; neighbouring kernels do not overlap."""

    pool: PoolConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return pooled_shape("pool", shape, self.pool.kernel)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return make_pool(self.pool.mode, self.pool.kernel)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return (Reach(self.pool.kernel, self.pool.kernel),)


class PoolingConfig(Section):
    """How a map becomes features."""

    mode: Literal["avg", "max", "sum", "mul", "avg+max"] = "avg"
    """Mean, maximum, sum or product of the values; `avg+max` adds mean and maximum."""
    flat: bool = False
    """true: over frames alone, C*F features; false: over frames and bands, C features."""


class PoolingItem(BlockItem):
    """Turns a map into features, whatever the length of the clip."""

    pooling: PoolingConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        channels, _, bands = map_sizes(shape, "pooling")
        return (channels * bands,) if self.pooling.flat else (channels,)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return Pooling(self.pooling.mode, self.pooling.flat)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return (Reach((shape[1], shape[2])),)


class AvgMaxPool(nn.Module):
    """Mean plus maximum of each kernel."""

    def __init__(self, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(kernel)
        self.maximum = nn.MaxPool2d(kernel)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return self.mean(x_BCTF) + self.maximum(x_BCTF)


class Pooling(nn.Module):
    """(B, C, T, F) -> (B, C*F) over frames (`flat`), channel by channel, or (B, C) over frames and bands.

    Computed in float32 under any autocast: sums and products over many frames outgrow 16 bits.
    """

    def __init__(self, mode: str, flat: bool) -> None:
        super().__init__()
        self.mode = mode
        self.flat = flat

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        # One axis to pool over, the last: frames alone, or frames and bands together.
        x_BCN = x_BCTF.transpose(2, 3) if self.flat else x_BCTF.flatten(2)
        x = x_BCN.float()
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

    def extra_repr(self) -> str:
        return f"mode={self.mode}, flat={self.flat}"


def make_pool(mode: PoolMode, kernel: tuple[int, int]) -> nn.Module:
    """The module of `pool` and of the blocks that end in pooling."""
    table: dict[str, type[nn.Module]] = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d, "avg+max": AvgMaxPool}
    return table[mode](kernel)


def pooled_shape(block: str, shape: Shape, kernel: tuple[int, int]) -> Shape:
    channels, frames, bands = map_sizes(shape, block)
    return (
        channels,
        fitting(block, "T", frames, kernel[0], kernel[0]),
        fitting(block, "F", bands, kernel[1], kernel[1]),
    )


def fitting(block: str, axis: str, length: int, kernel: int, stride: int) -> int:
    """Length after pooling; refuses a kernel that is longer than what it met."""
    pooled = pooled_length(length, kernel, stride)
    if pooled < 1:
        raise ShapeError(f"{block}: kernel {kernel} leaves nothing of {axis} = {length}")
    return pooled
