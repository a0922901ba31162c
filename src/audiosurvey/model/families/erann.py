"""The `arb` block: the residual block of ERANN."""

from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import nn

from audiosurvey.model.blocks.convolution import Conv2d
from audiosurvey.model.blocks.fields import Width, takes
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes
from audiosurvey.section import Section

# Kernel sides of both convolutions and padding of the second, by stride; the first is padded by 1 (Table 2).
SIDES = {1: (3, 3, 1), 2: (3, 3, 1), 4: (6, 5, 2)}


def _stride(value: int) -> int:
    if value not in SIDES:
        raise ValueError(f"the stride of an arb must be 1, 2 or 4, not {value}")
    return value


ArbStride = Annotated[int, AfterValidator(_stride), Field(json_schema_extra={"enum": [1, 2, 4]})]


class ArbConfig(Section):
    """The residual block of ERANN; the kernel sizes follow from the stride."""

    channels: Width
    """Output channels of both convolutions."""
    stride: Annotated[tuple[ArbStride, ArbStride], takes("two numbers, [frames, bands]", 2)] = (1, 1)
    """Stride [frames, bands] of the first convolution: 1 or 2 (kernel sides 3 and 3), or 4 (6 and 5). The paper lists
    bands first."""


class ArbItem(BlockItem):
    """Norm, LeakyReLU and convolution, twice, with a shortcut from the raw input (a 1 x 1 convolution where the shape
    changes)."""

    arb: ArbConfig

    def output_shape(self, shape: Shape) -> Shape:
        _, frames, bands = map_sizes(shape, "arb")
        stride_t, stride_f = self.arb.stride
        return self.arb.channels, _strided("T", frames, stride_t), _strided("F", bands, stride_f)

    def build(self, shape: Shape) -> nn.Module:
        return Arb(shape[0], self.arb.channels, self.arb.stride)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        first, second = [[SIDES[stride][i] for stride in self.arb.stride] for i in (0, 1)]
        return Reach((first[0], first[1]), self.arb.stride), Reach((second[0], second[1]))


class Arb(nn.Module):
    """(B, C, T, F) -> (B, out, T / stride, F / stride): rounded up for stride 2, down for stride 4.

    Convolutions have no bias. Source: Verbitskiy et al. 2022 (ERANNs), Fig. 1 and Table 2. Where the frames are not a
    multiple of the stride, unlike in the paper, the shortcut is cropped to the output of the convolutions.
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
    # Only the first convolution, padded by 1 on both ends, changes the length.
    left = (length + 2 - SIDES[stride][0]) // stride + 1
    if left < 1:
        raise ShapeError(f"arb: a stride of {stride} leaves nothing of {axis} = {length}")
    return left
