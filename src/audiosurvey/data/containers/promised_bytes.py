"""The number of bytes of sound that the headers of rarer containers declare.

libsndfile reads truncated files of all of these without complaint. IRCAM, PVF and PAF state no length, nor does XI
always: of IRCAM and PVF only a sample cut in two shows.
"""

import re
import struct
from collections.abc import Callable

from audiosurvey.data.containers.byte_view import Window

_MATRIX = 14
Promise = tuple[int, int]
"""Where the sound begins, and how many bytes of it there should be."""


def promise(window: Window) -> Promise | None:
    """The promise of a file that begins like one of these containers, None for any other."""
    head = window.get(0, 4096)
    for begin, read in _READERS.items():
        if head.startswith(begin):
            try:
                return read(window, head)
            except (struct.error, ValueError, IndexError, KeyError, ArithmeticError):
                return None
    return _htk(head)


def _number(form: str, head: bytes, at: int) -> int:
    return struct.unpack_from(form, head, at)[0]


def _iff(window: Window, head: bytes) -> Promise | None:
    wanted = {b"AIFF": b"SSND", b"AIFC": b"SSND", b"8SVX": b"BODY", b"16SV": b"BODY"}.get(head[8:12])
    place = 12
    while wanted and len(header := window.get(place, 8)) == 8:
        name, size = struct.unpack(">4sI", header)
        if name == wanted:
            return place + 8, size
        place += 8 + size + size % 2
    return None


def _caf(window: Window, _: bytes) -> Promise | None:
    place = 8
    while len(header := window.get(place, 12)) == 12:
        name, size = struct.unpack(">4sq", header)
        if name == b"data" or place + 12 + size > window.size:
            return place + 12, max(0, size)
        if size < 0:
            return None
        place += 12 + size
    return None


def _avr(_: Window, head: bytes) -> Promise | None:
    stereo, bits = struct.unpack(">HH", head[12:16])
    return 128, _number(">I", head, 26) * (2 if stereo else 1) * bits // 8


def _mat4(window: Window, head: bytes) -> Promise | None:
    order = ">" if head[:4] == b"\0\0\3\xe8" else "<"
    place, found = 0, None
    while len(header := window.get(place, 20)) == 20:
        kind, rows, columns, _, name = struct.unpack(order + "5I", header)
        width = (8, 4, 4, 2, 2, 1)[kind // 10 % 10]
        if place == 0 and (rows, columns) != (1, 1):
            return None
        found = place + 20 + name, rows * columns * width
        place = found[0] + found[1]
    return found


def _mat5(window: Window, head: bytes) -> Promise | None:
    order = "<" if head[126:128] == b"IM" else ">"
    place, found = 128, None
    while len(header := window.get(place, 8)) == 8:
        kind, size = struct.unpack(order + "II", header)
        inside = place + 8
        for element in range(4 if kind == _MATRIX else 0):  # flags, dimensions, name, and then the numbers
            kind, length = struct.unpack(order + "II", window.get(inside, 8))
            if element == 3:
                found = inside + 8, length
            # The shortest elements have their length in the upper half of the kind, and four bytes of content.
            inside += 8 if kind > 0xFFFF else 8 + -(-length // 8) * 8
        place += 8 + size
    return found


def _mpc2k(_: Window, head: bytes) -> Promise | None:
    return (42, 2 * _number("<I", head, 30) * (2 if head[21] else 1)) if head[19:21] == b"d\0" else None


def _nist(_: Window, head: bytes) -> Promise | None:
    fields = dict(re.findall(rb"(\w+) -(?:i|s\d+) (\S+)", head))
    if not fields.get(b"sample_coding", b"pcm").isalpha():
        return None  # compressed
    size = int(fields[b"sample_count"]) * int(fields[b"channel_count"]) * int(fields[b"sample_n_bytes"])
    return int(head[8:16]), size


def _sds(_: Window, head: bytes) -> Promise | None:
    bits, length = head[6], head[10] | head[11] << 7 | head[12] << 14
    per_packet = 60 if bits < 15 else 40 if bits < 22 else 30
    return (21, -(-length // per_packet) * 127) if head[3] == 1 else None


def _voc(window: Window, head: bytes) -> Promise | None:
    place = _number("<H", head, 20)
    while len(block := window.get(place, 4)) == 4 and block[0] not in (0, 1, 2, 9):
        place += 4 + int.from_bytes(block[1:], "little")
    return (place + 4, int.from_bytes(block[1:4], "little")) if block[:1] in (b"\1", b"\2", b"\t") else None


def _htk(head: bytes) -> Promise | None:
    """Recognised without a magic number: two bytes per sample, of kind 0, at a rate of 1 to 100 kHz."""
    if len(head) < 12 or head[8:12] != b"\0\2\0\0":
        return None
    samples, period = struct.unpack(">II", head[:8])
    return (12, 2 * samples) if 100 <= period <= 10_000 else None


def _ircam(window: Window, head: bytes) -> Promise | None:
    channels, encoding = struct.unpack("<II" if head[0] == 0x64 else ">II", head[8:16])
    return _whole_frames(1024, (encoding & 0xF) * channels, window.size)


def _pvf(window: Window, head: bytes) -> Promise | None:
    first = re.match(rb"PVF1\n(\d+) \d+ (\d+)\n", head)
    return _whole_frames(first.end(), int(first[1]) * int(first[2]) // 8, window.size) if first else None


def _whole_frames(begin: int, frame: int, size: int) -> Promise:
    return begin, -(-max(0, size - begin) // frame) * frame


_READERS: dict[bytes, Callable[[Window, bytes], Promise | None]] = {
    b"FORM": _iff,
    b".snd": lambda _, head: (_number(">I", head, 4), _number(">I", head, 8)),
    b"dns.": lambda _, head: (_number("<I", head, 4), _number("<I", head, 8)),
    b"caff": _caf,
    b"2BIT": _avr,
    b"\0\0\0\0\1\0\0\0\1\0\0\0": _mat4,
    b"\0\0\3\xe8\0\0\0\1\0\0\0\1": _mat4,
    b"MATLAB 5.0 MAT-file": _mat5,
    b"\1\4": _mpc2k,
    b"NIST_1A": _nist,
    b"\xf0\x7e": _sds,
    b"Creative Voice File\x1a": _voc,
    b"ALawSoundFile**\0": lambda _, head: (32, _number(">I", head, 18)),
    b"\x64\xa3": _ircam,
    b"\0\0\xa3\x64": _ircam,
    b"PVF1\n": _pvf,
}
