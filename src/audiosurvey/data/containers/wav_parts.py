"""WAV and Wave64 files with the headers that libsndfile needs: true sizes, sample widths and encodings."""

import struct
from dataclasses import replace
from typing import BinaryIO

from audiosurvey.data.containers.byte_view import Part, Piece, Window
from audiosurvey.data.containers.mp3_frames import mp3_parts
from audiosurvey.data.containers.wav_header import MP2, MP3, WavHeader, lies_low, missing_bytes, read_wav_header

_W64_HEAD = 40
_SUBFORMATS = (3, 6, 7)
"""Float, A-law and mu-law: libsndfile reads these in Wave64 only where the format names them itself."""
_LOOKED = 1 << 16


def wav_parts(stream: BinaryIO, window: Window) -> list[Part] | None:
    """The sound of a WAV; None if it is not one, or holds no samples."""
    stream.seek(0)
    header = read_wav_header(stream)
    if header is None:
        return None
    fault = missing_bytes(window.size, header.begin, header.promised)
    if header.format is not None and header.format.code in (MP2, MP3):
        end = window.size if header.open_end else min(window.size, header.begin + header.promised)
        found = mp3_parts(window, header.begin, end)
        if found:
            return [replace(part, fault=part.fault or fault, container="WAV") for part in found]
    return [_samples(window, header, fault)]


def w64_parts(window: Window) -> list[Part] | None:
    """The sound of a Wave64 file; None if it is not one."""
    if window.get(24, 4) != b"wave":
        return None
    # Chunks are named by 16 bytes, of which the first four are WAV's; sizes include the 24 bytes of the header, and
    # chunks begin at multiples of 8.
    place, changes = _W64_HEAD, dict[int, bytes]()
    while len(header := window.get(place, 24)) == 24:
        length = struct.unpack("<Q", header[16:])[0]
        if header[:4] == b"fmt ":
            format = window.get(place + 24, 26)
            if format[:2] == b"\xfe\xff" and len(format) == 26 and struct.unpack("<H", format[24:])[0] in _SUBFORMATS:
                changes[place + 24] = format[24:]
        if header[:4] == b"data":
            fault = missing_bytes(window.size, place + 24, length - 24)
            return [Part(_changed(window.size, changes), fault=fault)]
        if length < 24:
            return None
        place += (length + 7) // 8 * 8
    return None


def _samples(window: Window, header: WavHeader, fault: str | None) -> Part:
    """Plain samples, or an encoding that libsndfile decodes."""
    size, begin, format = window.size, header.begin, header.format
    changes: dict[int, bytes] = {}
    if header.order == "<" and header.promised == 0 and begin < size and header.closed < size:
        # The sizes were never written, which libsndfile takes for an empty file.
        changes[4] = struct.pack("<I", min(size - 8, 0xFFFFFFFF))
        changes[begin - 4] = struct.pack("<I", min(size - begin, 0xFFFFFFFF))
    if format is None or not format.loose_bytes or header.order != "<":
        return Part(_changed(size, changes), fault=fault)
    changes[header.format_at + 14] = struct.pack("<H", 8 * format.width)
    lifted = format.loose_bytes if _low(window, begin, format.width, format.loose_bytes) else 0
    return Part(_changed(size, changes), fault=fault, samples_at=begin, width=format.width, lifted=lifted)


def _changed(size: int, changes: dict[int, bytes]) -> tuple[Piece, ...]:
    """A file of this size with some of its bytes replaced."""
    pieces: list[Piece] = []
    place = 0
    for at, content in sorted(changes.items()):
        pieces += [(place, at), content]
        place = at + len(content)
    return (*pieces, (place, size))


def _low(window: Window, begin: int, width: int, loose: int) -> bool:
    """Whether the samples fill the low bytes of their containers, as ALSA's do; assumed where no sample tells."""
    while content := window.get(begin, _LOOKED // width * width):
        found = lies_low(content, width, loose)
        if found is not None:
            return found
        begin += len(content)
    return True
