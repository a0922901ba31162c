"""The frames of MP3 (and MP2, MP1) files, counted by walking their headers.

libsndfile takes the length of an MP3 from its Xing header, or guesses it from the size of the file. It stops at the end
that the first Xing header states, and after a kilobyte of foreign bytes. The parts given here have all frames and a
correct header. Each Xing header begins a part, since joined files have one each.
"""

import struct
from dataclasses import dataclass, field

from audiosurvey.data.containers.byte_view import Part, Piece, Window

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBITS = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By MPEG-1 or not, and layer."""
_MEANT = 0xFFFEFEC3
"""The bits of a header that determine the frame's kind and size; the others do not matter here."""
_SEARCHED = 1 << 16
_TAGS = (b"TAG", b"ID3", b"APETAGEX")


@dataclass(frozen=True, slots=True)
class Frame:
    """What the four bytes of a frame header say."""

    kind: tuple[int, int, int, int]
    """MPEG version, layer, sample rate and channels: the same in all frames of a stream."""
    size: int
    """In bytes, header included."""
    samples: int

    @property
    def info_at(self) -> int:
        """Where a Xing header stands in a frame."""
        version, _, _, channels = self.kind
        return 4 + ((32 if channels == 2 else 17) if version == 3 else (17 if channels == 2 else 9))


@dataclass(slots=True)
class _Stream:
    """The frames of one part."""

    kind: tuple[int, int, int, int]
    samples: int
    info: bytes = b""
    info_at: int = 0
    count: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def continues_at(self, place: int) -> bool:
        return bool(self.ranges) and self.ranges[-1][1] == place

    def add(self, begin: int, end: int) -> None:
        self.count += 1
        if self.continues_at(begin):
            begin = self.ranges.pop()[0]
        self.ranges.append((begin, end))


def after_tags(window: Window) -> int:
    """Where a file continues after the ID3 tags at its beginning."""
    place = 0
    while window.get(place, 3) == b"ID3" and (size := _tag_size(window, place)):
        place += size
    return place


def mp3_begin(window: Window) -> int | None:
    """Where the first whole frame of an MP3 is; None for another kind of file."""
    place = after_tags(window)
    if _runs(window, place, window.size, 2):
        return place
    return _next_frame(window, place, min(window.size, place + _SEARCHED))


def is_mpeg(window: Window, place: int) -> bool:
    """Whether there is a frame header of layer I, II or III here, free format included."""
    bits = int.from_bytes(window.get(place, 4), "big")
    return bits >> 21 == 0x7FF and _frame(bits & _MEANT & ~0xF000 | 0x1000) is not None


def mp3_parts(window: Window, begin: int, end: int) -> list[Part]:
    """The streams of MP3 frames in a range, complete frames only. None are found in MP3 of free format."""
    streams: list[_Stream] = []
    known: dict[int, Frame | None] = {}
    place = begin
    while place + 4 <= end:
        bits = int.from_bytes(window.get(place, 4), "big") & _MEANT
        frame = known[bits] if bits in known else known.setdefault(bits, _frame(bits))
        last = streams[-1] if streams else None
        continues = frame and last and frame.kind == last.kind and last.continues_at(place)
        if frame is None or not (continues or _runs(window, place, end, 3)):
            place += _tag_size(window, place) or max(1, (_next_frame(window, place + 1, end) or end) - place)
            continue
        if place + frame.size > end:
            break
        info = _info(window, place, frame)
        if last is None or info is not None or frame.kind != last.kind:
            last = _Stream(frame.kind, frame.samples)
            streams.append(last)
        if info is None:
            last.add(place, place + frame.size)
        else:
            last.info, last.info_at = info, frame.info_at if info else 0
        place += frame.size
    return [_part(stream) for stream in streams if stream.count]


def _part(stream: _Stream) -> Part:
    ranges: tuple[Piece, ...] = tuple(stream.ranges)
    promised = _promised(stream)
    if promised is None:
        return Part(ranges, frames=stream.count * stream.samples, open_end=True)
    info, at = bytearray(stream.info), stream.info_at
    flags = struct.unpack_from(">I", info, at + 4)[0]
    struct.pack_into(">I", info, at + 8, stream.count)
    if flags & 2:
        size = len(info) + sum(end - begin for begin, end in stream.ranges)
        struct.pack_into(">I", info, at + 12, min(size, 0xFFFFFFFF))
    lame = at + 8 + 4 * ((flags & 1) + (flags >> 1 & 1) + (flags >> 3 & 1)) + 100 * (flags >> 2 & 1)
    # Some writers count the frame of the header itself.
    right = promised in (stream.count, stream.count + 1)
    if not right and len(info) >= lame + 24:
        # The padding that the encoder states is not at this end.
        info[lame + 22] &= 0xF0
        info[lame + 23] = 0
    short = promised > stream.count and not right
    fault = f"truncated: {stream.count} of {promised} MP3 frames according to its header" if short else None
    return Part((bytes(info), *ranges), fault=fault)


def _promised(stream: _Stream) -> int | None:
    """The number of frames that a Xing header states."""
    info, at = stream.info, stream.info_at
    if len(info) < at + 16 or not at or not info[at + 7] & 1:
        return None
    return struct.unpack_from(">I", info, at + 8)[0]


def _info(window: Window, place: int, frame: Frame) -> bytes | None:
    """A Xing header's frame; empty for VBRI, which libsndfile would decode as sound; None for sound."""
    if frame.kind[1] != 3:
        return None
    at = frame.info_at
    if window.get(place + at, 4) in (b"Xing", b"Info"):
        return window.get(place, frame.size)
    return b"" if window.get(place + 36, 4) == b"VBRI" else None


def _frame(bits: int) -> Frame | None:
    version, layer = bits >> 19 & 3, 4 - (bits >> 17 & 3)
    kbits, rate, emphasis = bits >> 12 & 15, bits >> 10 & 3, bits & 3
    if bits >> 21 != 0x7FF or version == 1 or layer == 4 or kbits in (0, 15) or rate == 3 or emphasis == 2:
        return None
    hertz = _RATES[version][rate]
    bytes_a_second = _KBITS[version == 3, layer][kbits] * 125
    padding = bits >> 9 & 1
    if layer == 1:
        samples, size = 384, (96 * bytes_a_second // hertz + padding) * 4
    else:
        samples = 576 if layer == 3 and version != 3 else 1152
        size = samples * bytes_a_second // hertz + padding
    return Frame((version, layer, hertz, 1 if bits >> 6 & 3 == 3 else 2), size, samples)


def _runs(window: Window, place: int, end: int, frames: int) -> bool:
    """Whether frames of one kind follow each other from `place` on, or up to the end."""
    kind = None
    for number in range(frames):
        if number and (place + 4 > end or window.get(place, 8).startswith(_TAGS)):
            return True
        frame = _frame(int.from_bytes(window.get(place, 4), "big") & _MEANT)
        if frame is None or (kind and frame.kind != kind) or (number == 0 and place + frame.size > end):
            return False
        kind, place = frame.kind, place + frame.size
    return True


def _next_frame(window: Window, place: int, end: int) -> int | None:
    """The next place where frames or a tag begin."""
    while (place := window.find(b"\xff", place, end)) >= 0:
        if _runs(window, place, end, 3):
            return place
        place += 1
    return None


def _tag_size(window: Window, place: int) -> int:
    """The size of a tag of ID3 or APE at this place, 0 where there is none."""
    head = window.get(place, 32)
    if head[:3] == b"ID3" and len(head) >= 10:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX" and len(head) == 32:
        size, _, flags = struct.unpack("<III", head[12:24])
        return size + 32 if flags & 0x20000000 else 32
    return 0
