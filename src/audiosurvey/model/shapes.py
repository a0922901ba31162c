"""Shape arithmetic for one clip: the output shape and the receptive field of layers, without building them.

A shape is a plain tuple: (C, T, F) for a feature map of channels x frames x bands, (N,) for features after `pooling`.
"""

from collections.abc import Iterable
from typing import NamedTuple, cast

Shape = tuple[int, ...]
InputShape = Shape | tuple[Shape, Shape]
"""Input of one clip: (1, S) for a wave, (1, T, F) for a spectrogram, or both in this order."""
Sides = tuple[int, int]
"""A pair of numbers along (T, F): frames first, bands second."""


class ShapeError(ValueError):
    """A block does not accept its input shape."""


class Reach(NamedTuple):
    """Kernel size (dilation included) and stride of one layer along (T, F)."""

    kernel: Sides
    stride: Sides = (1, 1)


def each_input(shape: InputShape) -> tuple[Shape, ...]:
    """The shapes of all inputs, one or two."""
    several = isinstance(shape[0], tuple)
    return cast(tuple[Shape, ...], shape if several else (shape,))


def is_map(shape: Shape) -> bool:
    return len(shape) == 3


def map_sizes(shape: Shape, block: str) -> tuple[int, int, int]:
    """(C, T, F) of a feature map. Raises ShapeError, naming `block`, for features without frames and bands."""
    if not is_map(shape):
        raise ShapeError(f"{block}: needs a map of frames and bands; put it before `pooling`, which removes both axes")
    return shape[0], shape[1], shape[2]


def strided_shape(block: str, shape: Shape, channels: int, stride: Sides) -> Shape:
    """Output shape of a strided convolution with 'same' padding."""
    _, frames, bands = map_sizes(shape, block)
    return channels, same_length(frames, stride[0]), same_length(bands, stride[1])


def shape_text(shape: Shape) -> str:
    """`64 x 3 x 16, channels x frames x bands`, for messages."""
    if is_map(shape):
        return " x ".join(str(size) for size in shape) + ", channels x frames x bands"
    return " x ".join(str(size) for size in shape) + " features"


def same_length(length: int, stride: int) -> int:
    """Length after a convolution with 'same' padding."""
    return -(-length // stride)


def effective_side(side: int) -> int:
    """Extent of a kernel side: even sides are dilated by 2, so that the extent is odd and the padding symmetric."""
    return side if side % 2 else 2 * side - 1


def pooled_length(length: int, kernel: int, stride: int) -> int:
    """Length after unpadded pooling; 0 or less where the kernel does not fit."""
    return (length - kernel) // stride + 1


def receptive_field(reaches: Iterable[Reach], limits: Sides) -> Sides:
    """Receptive field (frames, bands) of one output value, at most the whole input (`limits`)."""
    field, jump = [1, 1], [1, 1]
    for reach in reaches:
        for axis in (0, 1):
            field[axis] += (reach.kernel[axis] - 1) * jump[axis]
            jump[axis] *= reach.stride[axis]
    return min(field[0], limits[0]), min(field[1], limits[1])
