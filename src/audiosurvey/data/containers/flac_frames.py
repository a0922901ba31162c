"""FLAC files: whether the number of samples in the header is that of the last frame, and several joined files in one.

libsndfile reads up to the number of samples that the header states.
"""

import struct
from functools import lru_cache

from audiosurvey.data.containers.byte_view import Part, Window

_MARK = b"fLaC"
_INFO = b"\0\0\x22"
_HEADER = 42
"""Bytes of the mark and the block STREAMINFO, which is the first."""
_TAIL = 1 << 17
_LEAST_FRAME = 9
"""Bytes of the shortest frame: header, one silent channel, checksum."""
_BLOCKS = {1: 192, 8: 256, 9: 512, 10: 1024, 11: 2048, 12: 4096, 13: 8192, 14: 16384, 15: 32768}
_BLOCKS |= {code: 576 << (code - 2) for code in range(2, 6)}


def flac_parts(window: Window, begin: int) -> list[Part]:
    """The FLAC streams from `begin` on, one after the other."""
    begins, place = [begin], begin
    while (place := window.find(_MARK, place + len(_MARK), window.size)) >= 0:
        header = window.get(place, 8)
        if header[4:5] in (b"\0", b"\x80") and header[5:] == _INFO:
            begins.append(place)
    return [_part(window, one, end) for one, end in zip(begins, [*begins[1:], window.size], strict=True)]


def _part(window: Window, begin: int, end: int) -> Part:
    header = window.get(begin, _HEADER)
    if len(header) < _HEADER:
        return Part(((begin, end),))
    longest = struct.unpack_from(">H", header, 10)[0]
    promised = int.from_bytes(header[21:26], "big") & (1 << 36) - 1
    if promised == 0 or longest == 0:
        return Part(((begin, end),))
    there = _frames_there(window, begin, end, longest, promised)
    may_fit = -(-promised // longest) * _LEAST_FRAME <= end - begin
    if there == promised or (there is None and may_fit):
        return Part(((begin, end),))
    fault = None
    if there is None:
        fault = f"truncated: {promised} frames according to its header, too many for {end - begin} bytes"
    elif promised > there:
        fault = f"truncated: {there} of {promised} frames according to its header"
    # 0 stands for an unknown number.
    right = bytearray(header)
    right[21:26] = (int.from_bytes(header[21:26], "big") - promised + (there or 0)).to_bytes(5, "big")
    return Part((bytes(right), (begin + _HEADER, end)), fault=fault)


def _frames_there(window: Window, begin: int, end: int, longest: int, promised: int) -> int | None:
    """Samples a channel up to the end of the last frame; None where no complete frame ends there."""
    first = max(begin + _HEADER, end - _TAIL)
    tail = window.get(first, end - first)
    if tail[-128:-125] == b"TAG":
        tail = tail[:-128]
    place = len(tail)
    while (place := tail.rfind(b"\xff", 0, place)) >= 0:
        there = _end_of_frame(tail[place : place + 16], longest)
        if there is None:
            continue
        # The header is believed if a frame agrees with it; any other frame needs a valid checksum.
        if there == promised or _crc(tail[place:], 16, 0x8005) == 0:
            return there
    return None


def _end_of_frame(head: bytes, longest: int) -> int | None:
    """Samples before the end of the frame with this header; None if it is not a header."""
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[2] >> 4 == 0 or head[3] & 1 or head[2] & 15 == 15:
        return None
    ones = 8 - (~head[4] & 0xFF).bit_length()
    more = 0 if ones == 0 else ones - 1
    number = head[4] & (0x7F >> ones)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    at = 5 + more
    code, rate = head[2] >> 4, head[2] & 15
    wide = {6: 1, 7: 2}.get(code, 0)
    block = int.from_bytes(head[at : at + wide], "big") + 1 if wide else _BLOCKS[code]
    at += wide + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if ones == 1 or len(head) <= at or _crc(head[: at + 1], 8, 0x07) != 0:
        return None
    return (number if head[1] & 1 else number * longest) + block


@lru_cache(maxsize=2)
def _table(bits: int, polynomial: int) -> list[int]:
    table: list[int] = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (bits - 1) else 0)
            value &= (1 << bits) - 1
        table.append(value)
    return table


def _crc(content: bytes, bits: int, polynomial: int) -> int:
    """0 for bytes followed by their checksum."""
    table, value, mask = _table(bits, polynomial), 0, (1 << bits) - 1
    for byte in content:
        value = ((value << 8) ^ table[(value >> (bits - 8)) ^ byte]) & mask
    return value
