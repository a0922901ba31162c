"""Sound from a pipe while it arrives: raw samples, or a WAV file whose header is read first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio, Mono, resampled_length
from audiosurvey.data.audio.resampling import converted
from audiosurvey.data.containers.wav_header import FLOAT, PCM, Readable, lies_low, read_wav_header
from audiosurvey.errors import ArgumentError, UserError

ENCODINGS: dict[str, tuple[str, int]] = {
    "u8": ("u1", 1),
    "s8": ("i1", 1),
    "s16le": ("<i2", 2),
    "s16be": (">i2", 2),
    "s24le": ("<i3", 3),
    "s24be": (">i3", 3),
    "s24_32le": ("<i4", 4),
    "s32le": ("<i4", 4),
    "s32be": (">i4", 4),
    "f32le": ("<f4", 4),
    "f32be": (">f4", 4),
    "f64le": ("<f8", 8),
    "f64be": (">f8", 8),
}
"""Encodings by their FFmpeg name: NumPy type (`i3` is our own) and bytes per sample.

`s24_32le` (GStreamer; ALSA: S24_LE) is 24 bits in the low three of four bytes.
"""

_LOW_24 = "s24_32le"
_WAV_ENCODINGS = {
    (PCM, 8, 1): "u8",
    (PCM, 16, 2): "s16le",
    (PCM, 24, 3): "s24le",
    (PCM, 24, 4): _LOW_24,
    (PCM, 32, 4): "s32le",
    (FLOAT, 32, 4): "f32le",
    (FLOAT, 64, 8): "f64le",
}
"""By format code, bits per sample and bytes per container."""
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Format of raw samples. Raises UserError for an unknown encoding, and for a rate or channels below 1."""

    rate: int
    channels: int = 1
    encoding: str = "s16le"

    def __post_init__(self) -> None:
        if self.rate < 1 or self.channels < 1:
            raise ArgumentError("{rate}, {channels}: expected at least 1", rate=self.rate, channels=self.channels)
        if self.encoding not in ENCODINGS:
            known = ", ".join(ENCODINGS)
            raise ArgumentError(f"{{encoding}}: unknown; choose one of {known}", encoding=self.encoding)

    @property
    def frame_bytes(self) -> int:
        return ENCODINGS[self.encoding][1] * self.channels

    def samples(self, content: bytes) -> np.ndarray:
        """Whole frames as float32 (S, C) with full scale 1."""
        kind, width = ENCODINGS[self.encoding]
        if width == 3:
            bytes_N3 = np.frombuffer(content, np.uint8).reshape(-1, 3)
            four_N4 = np.zeros((len(bytes_N3), 4), np.uint8)
            # In the upper three of four bytes the value has the scale of 32 bits.
            four_N4[:, 1:] = bytes_N3 if kind[0] == "<" else bytes_N3[:, ::-1]
            flat = four_N4.view("<i4")[:, 0] / 2**31
        elif self.encoding == _LOW_24:
            flat = (np.frombuffer(content, "<u4") << 8).view("<i4") / 2**31
        else:
            flat = np.frombuffer(content, kind)
            if kind[-2] == "u":
                flat = (flat.astype(np.float64) - 128) / 128
            elif kind[-2] == "i":
                flat = flat / 2.0 ** (8 * width - 1)
        return flat.astype(np.float32).reshape(-1, self.channels)


class PcmSource:
    """Samples from a stream, readable once. An incomplete frame at the end is dropped."""

    def __init__(
        self,
        stream: BinaryIO,
        format: PcmFormat,
        *,
        name: str = "-",
        begin: bytes = b"",
        promised: int | None = None,
        live: bool = True,
        undecided: bool = False,
    ) -> None:
        """`begin`: bytes already read from the stream; `promised`: bytes of sound to come, None: until it ends;
        `undecided`: samples of 24 bits in four bytes, which may fill the upper or the lower three."""
        self.name, self.format, self.live = name, format, live
        self._stream, self._begin, self._promised, self._undecided = stream, begin, promised, undecided

    def length(self, sample_rate: int) -> int:
        """Samples at this rate. Raises ValueError if the length is unknown."""
        if self._promised is None:
            raise ValueError("a stream of unknown length")
        return resampled_length(self._promised // self.format.frame_bytes, self.format.rate, sample_rate)

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        if mono == "loudest" and self.format.channels > 1:
            why = "this model uses the loudest channel, which is known only at the end of a pipe"
            raise UserError(f"{self.name}: {why}; send one channel")
        return converted(self._blocks(), self.format.rate, sample_rate=sample_rate, mono=mono)

    def _blocks(self) -> Iterator[np.ndarray]:
        format, undecided = self.format, self._undecided
        rest, received = b"", 0
        content = self._begin or self._read(0)
        while content:
            received += len(content)
            rest += content
            if undecided:
                if len(rest) < _READ_BYTES and (content := self._read(received)):
                    continue
                low = lies_low(rest[:_READ_BYTES], 4, 1)
                format = PcmFormat(format.rate, format.channels, "s32le") if low is False else format
                undecided = low is None
            whole = len(rest) // format.frame_bytes * format.frame_bytes
            if whole:
                yield format.samples(rest[:whole])
            rest = rest[whole:]
            content = self._read(received)
        if self._promised is not None and received < self._promised:
            raise BadAudio(f"truncated: {received} of {self._promised} bytes of sound according to its header")

    def _read(self, received: int) -> bytes:
        """What has arrived, at least one byte; nothing at the end."""
        wanted = _READ_BYTES if self._promised is None else min(_READ_BYTES, self._promised - received)
        read = getattr(self._stream, "read1", self._stream.read)
        return read(wanted) if wanted else b""


def read_wav_format(stream: Readable) -> tuple[PcmFormat, int | None] | None:
    """Read a WAV file after `RIFF....WAVE` up to its first sample: its format, and the bytes of sound that follow.

    None for other kinds than plain samples (ADPCM, A-law, ...).
    """
    header = read_wav_header(stream, b"RIFF\0\0\0\0WAVE")
    format = header.format if header is not None else None
    if header is None or format is None or format.rate < 1 or format.channels < 1:
        return None
    encoding = _WAV_ENCODINGS.get((format.code, format.bits, format.width))
    promised = None if header.open_end else header.promised
    return (PcmFormat(format.rate, format.channels, encoding), promised) if encoding else None
