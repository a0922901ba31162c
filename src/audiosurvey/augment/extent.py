"""The extent of a clip in its window; the rest is padding, or silence from shifting the clip.

The window is taken as a circle, since a cyclic shift can part a clip: its beginning then stands at the end of the
window.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Extent:
    """A stretch of a window of `size` cells (samples, or frames), round its end where it is longer than what is left.

    A clip without any sound has a length of 0.
    """

    first: int
    length: int
    size: int

    @classmethod
    def whole(cls, size: int) -> "Extent":
        return cls(0, size, size)

    @classmethod
    def until(cls, end: int, size: int) -> "Extent":
        """From the beginning of the window to `end`."""
        return cls(0, max(0, min(end, size)), size)

    @classmethod
    def between(cls, first: int, end: int, size: int) -> "Extent":
        """From `first` to `end`, as far as that lies in the window."""
        first, end = max(0, first), min(end, size)
        return cls(first, end - first, size) if first < end else cls(0, 0, size)

    @property
    def is_whole(self) -> bool:
        return self.length == self.size

    @property
    def is_parted(self) -> bool:
        """Whether the clip goes round the end of the window."""
        return self.first + self.length > self.size

    @property
    def end(self) -> int:
        """The cell after the last that sounds; the end of the window for a clip that is parted."""
        return self.size if self.is_parted else self.first + self.length

    @property
    def longer_part(self) -> "Extent":
        """All of it; of a clip that is parted the longer of its two parts."""
        if not self.is_parted:
            return self
        at_the_end = self.size - self.first
        return max(
            Extent(self.first, at_the_end, self.size),
            Extent(0, self.length - at_the_end, self.size),
            key=lambda part: part.length,
        )

    def turned(self, by: int) -> "Extent":
        """Shifted later by this many cells, circularly."""
        return self if self.is_whole else Extent((self.first + by) % self.size, self.length, self.size)

    def joined(self, other: "Extent") -> "Extent":
        """What holds the sound of both: from the earlier beginning to the later end."""
        if self.is_parted or other.is_parted:
            return Extent.whole(self.size)
        parts = [part for part in (self, other) if part.length] or [self]
        return Extent.between(min(part.first for part in parts), max(part.end for part in parts), self.size)

    def in_cells(self, size: int) -> "Extent":
        """The same in a window that is divided into `size` cells, such as frames: all that hold some of the sound, and
        one at least."""
        if self.is_whole:
            return Extent.whole(size)
        first = min(self.first * size // self.size, size - 1)
        end = -(-(self.first + self.length) * size // self.size)
        return Extent(first, min(max(1, end - first), size), size)


def sounding(extents: Sequence[Extent], device: torch.device) -> Tensor:
    """True in the cells that sound. Shape (B, size)."""
    bounds_B2 = torch.tensor([(extent.first, extent.length) for extent in extents]).to(device, non_blocking=True)
    size = extents[0].size
    return (torch.arange(size, device=device) - bounds_B2[:, :1]) % size < bounds_B2[:, 1:]
