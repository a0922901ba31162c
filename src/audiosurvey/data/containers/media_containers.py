"""Containers that PyAV reads (MP4, Matroska, ASF, AVI, AMR, ADTS): recognised by their first bytes, and whether their
end is missing.

FFmpeg's readers take a file that was truncated for a shorter one. Here the sizes in the containers are compared with
the size of the file, without decoding. A size that was left open (a live recording) promises nothing.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from audiosurvey.data.containers.byte_view import Part, Window
from audiosurvey.data.containers.wav_header import is_placeholder

_SEGMENT = b"\x18\x53\x80\x67"
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_BROADCAST = 1
_BOXES = frozenset(b"ftyp moov mdat moof mfra free skip wide pnot uuid sidx styp meta udta emsg prft".split())
_FIRST_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
_AMR_NB = (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1)
_AMR_WB = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1)
"""Bytes of a frame by its type (RFC 4867, 5.3), with the byte that tells the type."""


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file that PyAV reads."""

    name: str
    codecs: str
    """What its sound is usually encoded in."""
    demuxer: str
    """FFmpeg's name for it."""
    fault: Callable[[Window], str | None]
    """Why the file is known to be truncated; None where nothing is known to be missing."""


def media_part(window: Window) -> Part | None:
    """The whole file as a part for PyAV; None if it is none of these containers."""
    kind = _recognised(window)
    if kind is None:
        return None
    fault = kind.fault(window)
    return Part(((0, window.size),), fault=fault, container=kind.name, codecs=kind.codecs, demuxer=kind.demuxer)


def _recognised(window: Window) -> Container | None:
    head = window.get(0, 64)
    if head[4:8] in _FIRST_BOXES:
        return Container("MP4", "AAC, ALAC", "mov", _mp4_fault)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        name = "WEBM" if b"webm" in head else "MATROSKA"
        return Container(name, "Opus, Vorbis, AAC", "matroska", _matroska_fault)
    if head.startswith(_ASF_HEADER):
        return Container("ASF", "WMA", "asf", _asf_fault)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Container("AVI", "MP3, PCM", "avi", _avi_fault)
    if head.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        return Container("AMR", "AMR", "amr", _amr_fault)
    if _is_adts(head) and _is_adts(window.get(_adts_size(head), 7)):
        return Container("ADTS", "AAC", "aac", _adts_fault)
    return None


def _missing(promised_end: int, size: int) -> str | None:
    if promised_end <= size:
        return None
    return f"truncated: {size} of {promised_end} bytes according to its header"


def _mp4_fault(window: Window) -> str | None:
    """The boxes of the file follow each other without a gap. Source: ISO/IEC 14496-12, 4.2."""
    place, found = 0, set[bytes]()
    while len(header := window.get(place, 16)) >= 8:
        size, kind = struct.unpack(">I4s", header[:8])
        if size == 1 and len(header) == 16:
            size = struct.unpack(">Q", header[8:])[0]
        if kind not in _BOXES or 0 < size < 8:
            break
        found.add(kind)
        if size == 0:  # up to the end of the file
            break
        place += size
    if place > window.size and (fault := _missing(place, window.size)):
        return fault
    return None if b"moov" in found else "truncated, or never finished: its index (the box moov) is missing"


def _matroska_fault(window: Window) -> str | None:
    """Source: RFC 8794 (EBML), 4 and 6."""
    header_size, begin = _vint(window, 4)
    if header_size is None:
        return None
    place = begin + header_size
    if window.get(place, 4) != _SEGMENT:
        return None
    size, begin = _vint(window, place + 4)
    return None if size is None else _missing(begin + size, window.size)


def _vint(window: Window, place: int) -> tuple[int | None, int]:
    """A number of variable length, None where it is open, and the place after it."""
    first = window.get(place, 1)
    width = 9 - first[0].bit_length() if first else 9
    content = window.get(place, width)
    if width > 8 or len(content) < width:
        return None, place
    value = int.from_bytes(content, "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else value, place + width


def _asf_fault(window: Window) -> str | None:
    """Source: Advanced Systems Format specification, 3.2 (File Properties Object)."""
    end = struct.unpack("<Q", window.get(16, 8))[0] if window.size >= 24 else 0
    place = 30
    while place < end and len(header := window.get(place, 92)) == 92:
        if header[:16] == _ASF_FILE:
            size, flags = struct.unpack("<Q", header[40:48])[0], struct.unpack("<I", header[88:92])[0]
            return None if flags & _BROADCAST else _missing(size, window.size)
        place += max(24, struct.unpack("<Q", header[16:24])[0])
    return None


def _avi_fault(window: Window) -> str | None:
    promised = struct.unpack("<I", window.get(4, 4))[0]
    return None if is_placeholder(promised) else _missing(promised + 8, window.size)


def _amr_fault(window: Window) -> str | None:
    """Source: RFC 4867, 5 (files). Their header states no length: only a frame cut in two shows."""
    wide = window.get(0, 9) == b"#!AMR-WB\n"
    sizes, place = (_AMR_WB, 9) if wide else (_AMR_NB, 6)
    while place < window.size:
        place += sizes[window.get(place, 1)[0] >> 3 & 15]
    return None if place == window.size else "truncated: the last frame is incomplete"


def _adts_fault(window: Window) -> str | None:
    """Its header states no length: only a frame cut in two shows."""
    place = 0
    while _is_adts(head := window.get(place, 7)):
        place += _adts_size(head)
    return None if place <= window.size else "truncated: the last frame is incomplete"


def _is_adts(head: bytes) -> bool:
    """Whether a frame begins here. Source: ISO/IEC 13818-7, 6.2."""
    return len(head) >= 7 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and _adts_size(head) >= 7


def _adts_size(head: bytes) -> int:
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
