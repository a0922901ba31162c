"""A part of a file as a file of its own, for libsndfile: ranges of its bytes, with some bytes replaced."""

import io
import os
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO

Piece = bytes | tuple[int, int]
"""Bytes to insert, or the begin and end of a range of the file."""
_BEYOND = 1 << 40
_TAIL = 4096


@dataclass(frozen=True, slots=True)
class Part:
    """One stream of a sound file, as plain data."""

    pieces: tuple[Piece, ...]
    frames: int | None = None
    """Samples per channel where they were counted; None: as in the header."""
    open_end: bool = False
    """Whether libsndfile would guess the length from the size of the file: then it sees a much larger size, so that the
    guess never ends the decoding."""
    fault: str | None = None
    """Why the stream is known to be incomplete."""
    container: str | None = None
    """The format of the file where the part alone does not show it."""
    samples_at: int = 0
    """Where the samples begin, for `lifted`."""
    width: int = 1
    """Bytes of a sample, for `lifted`."""
    lifted: int = 0
    """By how many bytes samples move up that are in the low bytes of wider containers."""
    demuxer: str | None = None
    """FFmpeg's name for the container of a file that PyAV decodes; None: libsndfile does."""
    codecs: str = ""
    """What the sound of such a file is usually encoded in."""

    @property
    def size(self) -> int:
        return sum(map(_length, self.pieces))


class View(io.RawIOBase):
    """The bytes of a part, read-only."""

    def __init__(self, stream: BinaryIO, part: Part) -> None:
        self._stream, self._part, self._place = stream, part, 0
        self._ends = list(accumulate(map(_length, part.pieces)))
        self._there = self._ends[-1] if self._ends else 0
        self._size = self._there + (_BEYOND if part.open_end else 0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence])
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        content = self._bytes(self._place, len(buffer))
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def _bytes(self, place: int, count: int) -> bytes:
        if place >= self._there:
            # The MP3 decoder looks for a tag at the very end, and must find the end of the sound where it is.
            return bytes(min(count, self._size - place)) if self._size - _TAIL <= place < self._size else b""
        begin, width, lifted = self._part.samples_at, self._part.width, self._part.lifted
        if not lifted:
            return self._plain(place, count)
        if place < begin:
            return self._plain(place, min(count, begin - place)) + (
                self._bytes(begin, count - (begin - place)) if place + count > begin else b""
            )
        content = bytearray(self._plain(place - lifted, min(count, self._there - place)))
        for byte in range(lifted):
            first = (byte - (place - begin)) % width
            content[first::width] = bytes(len(range(first, len(content), width)))
        return bytes(content)

    def _plain(self, place: int, count: int) -> bytes:
        found: list[bytes] = []
        while count > 0 and (index := bisect_right(self._ends, place)) < len(self._ends):
            piece = self._part.pieces[index]
            inside = place - (self._ends[index] - _length(piece))
            if isinstance(piece, bytes):
                content = piece[inside : inside + count]
            else:
                self._stream.seek(piece[0] + inside)
                content = self._stream.read(min(count, piece[1] - piece[0] - inside))
            if not content:
                break
            found.append(content)
            place, count = place + len(content), count - len(content)
        return b"".join(found)


class Window:
    """Random access to the bytes of a stream, read in large blocks."""

    _SIZE = 1 << 18

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._begin, self._content = stream, 0, b""
        self.size = stream.seek(0, os.SEEK_END)

    def get(self, place: int, count: int) -> bytes:
        """Up to `count` bytes from `place` on; fewer at the end."""
        at = place - self._begin
        if at < 0 or at + count > len(self._content):
            self._stream.seek(place)
            self._begin, self._content, at = place, self._stream.read(max(count, self._SIZE)), 0
        return self._content[at : at + count]

    def find(self, wanted: bytes, begin: int, end: int) -> int:
        """The first place of `wanted` in the range, or -1."""
        while begin + len(wanted) <= end:
            content = self.get(begin, min(self._SIZE, end - begin))
            at = content.find(wanted)
            if at >= 0:
                return begin + at
            if len(content) < len(wanted):
                return -1
            begin += len(content) - len(wanted) + 1
        return -1


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]
