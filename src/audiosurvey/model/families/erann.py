"""The `arb` block: ERANN's residual block, whose stride of 4 goes along time, along frequency, or both."""

from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import nn

from audiosurvey.model.blocks.convolution import Conv2d
from audiosurvey.model.blocks.fields import Width, takes
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes
from audiosurvey.section import Section

# Kernel sides of the two convolutions and padding of the second, by stride; the first is padded by 1 (Table 2).
SIDES = {1: (3, 3, 1), 2: (3, 3, 1), 4: (6, 5, 2)}


def _stride(value: int) -> int:
    if value not in SIDES:
        raise ValueError(f"a stride of an arb is 1, 2 or 4, for which its kernels are defined; not {value}")
    return value


ArbStride = Annotated[int, AfterValidator(_stride), Field(json_schema_extra={"enum": [1, 2, 4]})]


class ArbConfig(Section):
    """ERANN's residual block; its kernels follow from the stride."""

    channels: Width
    """Channels of both convolutions."""
    stride: Annotated[tuple[ArbStride, ArbStride], takes("two numbers, [frames, bands]", 2)] = (1, 1)
    """Every how manieth position [frames, bands] is computed: 1 or 2 with kernel sides of 3, or 4 with sides of 6 and
    5. The paper has the bands first."""


class ArbItem(BlockItem):
    """Norm, LeakyReLU, convolution, twice; the raw input is added, through a 1 x 1 convolution where the shape
    changes."""

    arb: ArbConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        _, frames, bands = map_sizes(shape, "arb")
        stride_t, stride_f = self.arb.stride
        return self.arb.channels, _strided("T", frames, stride_t), _strided("F", bands, stride_f)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return Arb(shape[0], self.arb.channels, self.arb.stride)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        first, second = [[SIDES[stride][i] for stride in self.arb.stride] for i in (0, 1)]
        return Reach((first[0], first[1]), self.arb.stride), Reach((second[0], second[1]))


class Arb(nn.Module):
    """(B, C, T, F) -> (B, out, T / stride, F / stride): rounded up for stride 2, down for stride 4.

    Convolutions have no bias. Source: Verbitskiy et al. 2022 (ERANNs), Fig. 1 and Table 2. There the frames are a
    multiple of all strides; for other clips the way around leaves out the position at the end that the convolutions do
    not reach.
    """

    def __init__(self, channels: int, out: int, stride: tuple[int, int]) -> None:
        super().__init__()
        first, second, padding = zip(*(SIDES[step] for step in stride), strict=True)
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.01),
            nn.Conv2d(channels, out, first, stride, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.LeakyReLU(0.01),
            nn.Conv2d(out, out, second, padding=padding, bias=False),
        )
        same = stride == (1, 1) and channels == out
        self.around = nn.Identity() if same else Conv2d(channels, out, (1, 1), stride, bias=False)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        body_BCTF = self.body(x_BCTF)
        return body_BCTF + self.around(x_BCTF)[:, :, : body_BCTF.shape[2], : body_BCTF.shape[3]]


def _strided(axis: str, length: int, stride: int) -> int:
    # The first convolution alone changes the length, padded by 1 on either end.
    left = (length + 2 - SIDES[stride][0]) // stride + 1
    if left < 1:
        raise ShapeError(f"arb: a stride of {stride} leaves nothing of {axis} = {length}")
    return left
