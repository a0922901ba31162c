"""The header of a WAV file (RIFF, RIFX, RF64, BW64), read forward, so that it can come from a pipe."""

import struct
from dataclasses import dataclass
from typing import Protocol

PCM, FLOAT, MP2, MP3 = 1, 3, 0x50, 0x55
"""Codes of encodings."""
_EXTENSIBLE = 0xFFFE
_SLACK = 1 << 16
"""Some writers' placeholders for "unknown" are a header's length below 2 or 4 GiB (sox: 0x7FFFF000)."""
_LONGEST = 1 << 20
_KINDS = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class WavFormat:
    """The chunk `fmt `."""

    code: int
    """Of the encoding; that of the subformat where the format is extensible."""
    channels: int
    rate: int
    align: int
    """Bytes of a frame: a sample of each channel."""
    bits: int

    @property
    def width(self) -> int:
        """Bytes of a sample's container: by the bytes of a frame if they are a multiple of the channels."""
        whole = self.channels and self.align % self.channels == 0
        return self.align // self.channels if whole else -(-self.bits // 8)

    @property
    def loose_bytes(self) -> int:
        """By how many bytes the container is wider than its integer sample, as for 24 bits in 4 bytes."""
        fitting = self.code == PCM and self.bits > 8 and self.width <= 4
        return max(0, self.width - -(-self.bits // 8)) if fitting else 0


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What comes before the samples."""

    order: str
    """Byte order, as in `struct`."""
    format: WavFormat | None
    format_at: int
    """Where the content of the chunk `fmt ` begins."""
    begin: int
    """Where the samples begin."""
    promised: int
    """Bytes of sound, by the header."""
    closed: int
    """The size of the file, by the header."""

    @property
    def open_end(self) -> bool:
        """Whether the header leaves the length open."""
        return is_placeholder(self.promised)


def read_wav_header(stream: Readable, head: bytes | None = None) -> WavHeader | None:
    """Reads up to the first sample; `head`: the first 12 bytes, if already read. None if it is not a WAV."""
    head = stream.read(12) if head is None else head
    order = _KINDS.get(head[:4])
    if order is None or head[8:12] != b"WAVE":
        return None
    format, format_at, long_size, place = None, 0, None, 12
    while len(header := stream.read(8)) == 8:
        name, size = struct.unpack(order + "4sI", header)
        place += 8
        if name == b"data":
            promised = long_size if size == 0xFFFFFFFF and long_size is not None else size
            closed = struct.unpack(order + "I", head[4:8])[0] + 8
            return WavHeader(order, format, format_at, place, promised, closed)
        content = stream.read(min(size, _LONGEST)) if name in (b"fmt ", b"ds64") else b""
        if name == b"fmt ":
            format, format_at = _wav_format(content, order), place
        if name == b"ds64" and len(content) >= 16:
            long_size = struct.unpack("<Q", content[8:16])[0]
        _skip(stream, size + size % 2 - len(content))
        place += size + size % 2
    return None


def _skip(stream: Readable, count: int) -> None:
    """Skips bytes of a file or of a pipe."""
    seekable = getattr(stream, "seekable", None)
    if seekable is not None and seekable():
        stream.seek(count, 1)  # pyright: ignore[reportAttributeAccessIssue]
        return
    while count > 0 and (content := stream.read(min(count, _LONGEST))):
        count -= len(content)


def is_placeholder(promised: int) -> bool:
    """Whether a size is what a writer leaves that cannot seek back."""
    return promised == 0 or promised >= 2**63 or any(end - _SLACK <= promised <= end for end in (2**31, 2**32))


def missing_bytes(size: int, begin: int, promised: int) -> str | None:
    """Why a file of this size is truncated, whose sound begins at `begin`; None if it is complete."""
    there = max(0, size - begin)
    if promised <= there or is_placeholder(promised):
        return None
    return f"truncated: {there} of {promised} bytes of sound according to its header"


def lies_low(content: bytes, width: int, loose: int) -> bool | None:
    """Whether little-endian samples fill the low bytes of their containers; None where the samples do not tell.

    ALSA writes them low, with a sign or zeros above; WAV defines them high, with zeros below. Silence fits both, and so
    do soft samples in high bytes and samples of fewer bits in low bytes.
    """
    whole = content[: len(content) // width * width]
    if any(whole[byte::width].strip(b"\0\xff") for byte in range(width - loose, width)):
        return False
    return True if any(whole[byte::width].strip(b"\0") for byte in range(loose)) else None


def _wav_format(content: bytes, order: str) -> WavFormat | None:
    if len(content) < 16:
        return None
    code, channels, rate, _, align, bits = struct.unpack(order + "HHIIHH", content[:16])
    if code == _EXTENSIBLE and len(content) >= 26:
        code = struct.unpack(order + "H", content[24:26])[0]
    return WavFormat(code, channels, rate, align, bits)
