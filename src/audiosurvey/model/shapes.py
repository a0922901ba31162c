"""Shape arithmetic for one clip: what a block makes of what it meets, without a network and without memory.

A shape is a plain tuple: (C, T, F) for a map of channels x frames x bands, (N,) for features after `pooling`.
`Reach` adds up to the receptive field: how much of the input one output value sees.
"""

from collections.abc import Iterable
from typing import NamedTuple, cast

Shape = tuple[int, ...]
InputShape = Shape | tuple[Shape, Shape]
"""What a network is given of one clip: (1, S) of a wave, (1, T, F) of a spectrogram, or both in this order."""
Sides = tuple[int, int]
"""A pair of numbers along (T, F): frames first, bands second."""


class ShapeError(ValueError):
    """A block cannot work on the shape it met; the message says why and, where there is one, the mend."""


class Reach(NamedTuple):
    """One step of the receptive field along (T, F): extent of the kernel, dilation counted, and stride."""

    kernel: Sides
    stride: Sides = (1, 1)


def each_input(shape: InputShape) -> tuple[Shape, ...]:
    """The shapes of all that a network is given, of one input or of two."""
    several = isinstance(shape[0], tuple)
    return cast(tuple[Shape, ...], shape if several else (shape,))


def is_map(shape: Shape) -> bool:
    return len(shape) == 3


def map_sizes(shape: Shape, block: str) -> tuple[int, int, int]:
    """(C, T, F) of a map; features are refused in the name of `block`."""
    if not is_map(shape):
        raise ShapeError(
            f"{block}: needs a map of frames and bands, which `pooling` has already taken; put it before `pooling`"
        )
    return shape[0], shape[1], shape[2]


def shape_text(shape: Shape) -> str:
    """`64 x 3 x 16, channels x frames x bands`, for messages."""
    if is_map(shape):
        return " x ".join(str(size) for size in shape) + ", channels x frames x bands"
    return " x ".join(str(size) for size in shape) + " features"


def same_length(length: int, stride: int) -> int:
    """Length after a 'same' convolution: every `stride`-th position, the first included."""
    return -(-length // stride)


def effective_side(side: int) -> int:
    """Extent of a kernel side. An even side gets dilation 2, so that its extent is odd and the padding
    symmetric."""
    return side if side % 2 else 2 * side - 1


def pooled_length(length: int, kernel: int, stride: int) -> int:
    """Length after unpadded pooling; 0 or less where the kernel does not fit."""
    return (length - kernel) // stride + 1


def receptive_field(reaches: Iterable[Reach], limits: Sides) -> Sides:
    """Extent (frames, bands) of the input that one output sees, at most the whole input (`limits`)."""
    field, jump = [1, 1], [1, 1]
    for reach in reaches:
        for axis in (0, 1):
            field[axis] += (reach.kernel[axis] - 1) * jump[axis]
            jump[axis] *= reach.stride[axis]
    return min(field[0], limits[0]), min(field[1], limits[1])
