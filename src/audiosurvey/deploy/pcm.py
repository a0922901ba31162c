"""Sound from a pipe, as it comes: raw samples, or a WAV whose header is read on the way.

Enters: an open binary stream that cannot be sought in, and how its samples are written; leaves: blocks of samples as
soon as they are there.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np

from audiosurvey.data.audio import BadAudio, Mono, resampled_length
from audiosurvey.data.resampling import converted
from audiosurvey.errors import UserError

ENCODINGS: dict[str, tuple[str, int]] = {
    "u8": ("u1", 1),
    "s8": ("i1", 1),
    "s16le": ("<i2", 2),
    "s16be": (">i2", 2),
    "s24le": ("<i3", 3),
    "s24be": (">i3", 3),
    "s32le": ("<i4", 4),
    "s32be": (">i4", 4),
    "f32le": ("<f4", 4),
    "f32be": (">f4", 4),
    "f64le": ("<f8", 8),
    "f64be": (">f8", 8),
}
"""Name of an encoding as ffmpeg has it: numpy's name of the type (24 bits are ours), and the bytes of a sample."""

_READ_BYTES = 1 << 16


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """How raw samples are written."""

    rate: int
    channels: int = 1
    encoding: str = "s16le"

    def __post_init__(self) -> None:
        if self.rate < 1 or self.channels < 1:
            raise UserError(f"--rate {self.rate}, --channels {self.channels}: expected 1 at least")
        if self.encoding not in ENCODINGS:
            raise UserError(f"--encoding {self.encoding}: unknown; choose one of {', '.join(ENCODINGS)}")

    @property
    def frame_bytes(self) -> int:
        return ENCODINGS[self.encoding][1] * self.channels

    def samples(self, content: bytes) -> np.ndarray:
        """Whole frames as float32 (S, C); full scale is 1."""
        kind, width = ENCODINGS[self.encoding]
        if width == 3:
            bytes_N3 = np.frombuffer(content, np.uint8).reshape(-1, 3)
            four_N4 = np.zeros((len(bytes_N3), 4), np.uint8)
            # The three bytes on top of a zero byte: the same value in the scale of 32 bits.
            four_N4[:, 1:] = bytes_N3 if kind[0] == "<" else bytes_N3[:, ::-1]
            flat = four_N4.view("<i4")[:, 0] / 2**31
        else:
            flat = np.frombuffer(content, kind)
            if kind[-2] == "u":
                flat = (flat.astype(np.float64) - 128) / 128
            elif kind[-2] == "i":
                flat = flat / 2.0 ** (8 * width - 1)
        return flat.astype(np.float32).reshape(-1, self.channels)


class PcmSource:
    """Samples from a stream, once. A frame that the end of the stream cuts in two is left out."""

    def __init__(
        self,
        stream: BinaryIO,
        format: PcmFormat,
        *,
        name: str = "-",
        begin: bytes = b"",
        promised: int | None = None,
        live: bool = True,
    ) -> None:
        """`begin`: what was read of the stream already; `promised`: bytes of sound to come, None: up to its end."""
        self.name, self.format, self.live = name, format, live
        self._stream, self._begin, self._promised = stream, begin, promised

    def length(self, sample_rate: int) -> int:
        """Samples at this rate, of a stream whose length is known."""
        if self._promised is None:
            raise ValueError("a stream without a length")
        return resampled_length(self._promised // self.format.frame_bytes, self.format.rate, sample_rate)

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        if mono == "loudest" and self.format.channels > 1:
            why = "this model hears the loudest channel of a recording, which a pipe tells at its end only"
            raise UserError(f"{self.name}: {why}; send one channel")
        return converted(self._blocks(), self.format.rate, sample_rate=sample_rate, mono=mono)

    def _blocks(self) -> Iterator[np.ndarray]:
        frame, rest, there = self.format.frame_bytes, b"", 0
        content = self._begin or self._read(0)
        while content:
            there += len(content)
            content = rest + content
            whole = len(content) // frame * frame
            rest = content[whole:]
            if whole:
                yield self.format.samples(content[:whole])
            content = self._read(there)
        if self._promised is not None and there < self._promised:
            raise BadAudio(f"cut short: its header promises {self._promised} bytes of sound, {there} are there")

    def _read(self, there: int) -> bytes:
        """What is there by now, at least a byte; nothing at the end."""
        wanted = _READ_BYTES if self._promised is None else min(_READ_BYTES, self._promised - there)
        read = getattr(self._stream, "read1", self._stream.read)
        return read(wanted) if wanted else b""


def wav_header(stream: Readable) -> tuple[PcmFormat, int | None] | None:
    """Reads a WAV from behind `RIFF....WAVE` up to its first sample: its format, and the bytes of sound promised.

    None for a WAV of another kind than plain samples (ADPCM, A-law, ...).
    """
    format: PcmFormat | None = None
    while len(header := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            # What a writer into a pipe leaves, as it cannot know the size: 0, or about 2 or 4 GiB.
            unknown = size == 0 or size >= 0x7FFF0000
            return None if format is None else (format, None if unknown else size)
        content = stream.read(size + size % 2)
        if name == b"fmt ":
            format = _wav_format(content)
    return None


def _wav_format(content: bytes) -> PcmFormat | None:
    if len(content) < 16:
        return None
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if code == 0xFFFE and len(content) >= 26:
        code = struct.unpack("<H", content[24:26])[0]
    kinds = {(1, 8): "u8", (1, 16): "s16le", (1, 24): "s24le", (1, 32): "s32le", (3, 32): "f32le", (3, 64): "f64le"}
    encoding = kinds.get((code, bits))
    return PcmFormat(rate, channels, encoding) if encoding and rate and channels else None
