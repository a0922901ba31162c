"""Finds sound files that end before their own header says they do.

libsndfile reads such a file short without a word, so that a broken download would train as a shorter clip.
Here the containers whose length can be told without decoding are looked at: WAV (RIFF, RIFX, RF64, BW64),
AIFF, Wave64 and AU by the size of their sound chunk, Ogg by its end-of-stream page. FLAC and MP3 show
themselves while decoding (see `audio`). Enters: an open file; leaves: a plain reason, or None.

A writer that cannot seek back (ffmpeg or sox into a pipe, a recorder that was switched off) leaves a
placeholder for the size: 0, -1, or about 2 GiB. Nothing is promised then, and what is there is taken as the
whole recording.
"""

import io
import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

_SLACK = 1 << 16
"""Placeholders for "unknown" stand a header's length below 2 or 4 GiB in some writers (sox: 0x7FFFF000)."""
_OGG_TAIL = 1 << 17
"""An Ogg page has at most 65 307 bytes, so the last one begins in here even with tags behind it."""


def missing_end(stream: BinaryIO) -> str | None:
    """Why the file is known to be cut short, in plain words, or None. Moves the position of `stream`."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(40)
    if head[:4] == b"OggS":
        return _ogg_fault(stream, size)
    found = _sound_chunk(stream, head, size)
    if found is None:
        return None
    begin, promised = found
    there = max(0, size - begin)
    if promised <= there or _is_placeholder(promised):
        return None
    return f"cut short: its header promises {promised} bytes of sound, {there} are there"


def unclosed_wav(stream: BinaryIO) -> int | None:
    """Where the sound begins in a WAV whose sizes were never written (all 0), which libsndfile takes for
    empty.

    None for every other file, also for a properly closed WAV that holds no sound. Moves the position of
    `stream`.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    closed = struct.unpack("<I", head[4:8])[0] + 8 >= size
    for name, begin, promised in _chunks(stream, size, "<"):
        if name == b"data":
            return begin if promised == 0 and begin < size and not closed else None
    return None


class ClosedWav(io.RawIOBase):
    """An unclosed WAV as it would be had its sizes been written: its sound goes from `begin` to the end."""

    def __init__(self, stream: BinaryIO, begin: int) -> None:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        head = bytearray(stream.read(begin))
        head[4:8] = struct.pack("<I", min(size - 8, 0xFFFFFFFF))
        head[begin - 4 :] = struct.pack("<I", min(size - begin, 0xFFFFFFFF))
        self._stream, self._head, self._size, self._place = stream, bytes(head), size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        part = self._head[self._place : self._place + len(buffer)]
        if not part:
            self._stream.seek(self._place)
            part = self._stream.read(len(buffer))
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)


def _sound_chunk(stream: BinaryIO, head: bytes, size: int) -> tuple[int, int] | None:
    """Where the sound begins and how many bytes of it the header promises."""
    kind, form = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64", b"BW64") and form == b"WAVE":
        return _wav_chunk(stream, ">" if kind == b"RIFX" else "<", size)
    if kind == b"FORM" and form in (b"AIFF", b"AIFC"):
        for name, begin, promised in _chunks(stream, size, ">"):
            if name == b"SSND":
                return begin, promised
    if kind == b"riff" and len(head) == 40 and head[24:28] == b"wave":
        return _wave64_chunk(stream, size)
    if kind == b".snd" and len(head) >= 12:
        return struct.unpack(">II", head[4:12])
    return None


def _wav_chunk(stream: BinaryIO, order: str, size: int) -> tuple[int, int] | None:
    long_size: int | None = None
    for name, begin, promised in _chunks(stream, size, order):
        if name == b"ds64" and promised >= 16:
            stream.seek(begin + 8)
            field = stream.read(8)
            long_size = struct.unpack("<Q", field)[0] if len(field) == 8 else None
        if name == b"data":
            return begin, long_size if promised == 0xFFFFFFFF and long_size is not None else promised
    return None


def _wave64_chunk(stream: BinaryIO, size: int) -> tuple[int, int] | None:
    # Chunks are named by 16 bytes, of which the first four read like WAV's; sizes count the 24 bytes of the
    # header, and chunks begin at multiples of 8.
    place = 40
    while place + 24 <= size:
        stream.seek(place)
        header = stream.read(24)
        length = struct.unpack("<Q", header[16:])[0]
        if header[:4] == b"data":
            return place + 24, length - 24
        if length < 24:
            return None
        place += (length + 7) // 8 * 8
    return None


def _chunks(stream: BinaryIO, size: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the content and promised length of each chunk of a RIFF or FORM file."""
    place = 12
    while place + 8 <= size:
        stream.seek(place)
        name, length = struct.unpack(order + "4sI", stream.read(8))
        yield name, place + 8, length
        place += 8 + length + length % 2


def _is_placeholder(promised: int) -> bool:
    return promised == 0 or promised >= 2**63 or any(end - _SLACK <= promised <= end for end in (2**31, 2**32))


def _ogg_fault(stream: BinaryIO, size: int) -> str | None:
    begin = max(0, size - _OGG_TAIL)
    stream.seek(begin)
    tail = stream.read()
    page = tail.rfind(b"OggS\0")
    if page < 0:
        return "cut short or damaged: no page of the Ogg stream near its end"
    header = tail[page : page + 27]
    table = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    if len(header) < 27 or len(table) < header[26] or page + 27 + len(table) + sum(table) > len(tail):
        return "cut short: the last page of the Ogg stream is incomplete"
    if not header[5] & 4:
        return "cut short: the Ogg stream has no end-of-stream page"
    return None
