"""Sound from a pipe, as it comes: raw samples, or a WAV whose header is read on the way.

Enters: an open binary stream that cannot be sought in, and how its samples are written; leaves: blocks of samples as
soon as they are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio, Mono, resampled_length
from audiosurvey.data.audio.resampling import converted
from audiosurvey.data.audio.wav_header import FLOAT, PCM, Readable, lies_low, read_wav_header
from audiosurvey.errors import UserError

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
"""Name of an encoding as FFmpeg has it: numpy's name of the type (24 bits are ours), and the bytes of a sample.

`s24_32le`, a name of GStreamer (ALSA: S24_LE), is 24 bits in the low three of four bytes.
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
"""By the code of a WAV, the bits of a sample and the bytes of its container."""
_READ_BYTES = 1 << 16


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
        loose: bool = False,
    ) -> None:
        """`begin`: what was read of the stream already; `promised`: bytes of sound to come, None: up to its end;
        `loose`: whether the samples are to show if they fill the low or the high bytes of their containers."""
        self.name, self.format, self.live = name, format, live
        self._stream, self._begin, self._promised, self._loose = stream, begin, promised, loose

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
        format, loose = self.format, self._loose
        rest, there = b"", 0
        content = self._begin or self._read(0)
        while content:
            there += len(content)
            rest += content
            if loose:
                if len(rest) < _READ_BYTES and (content := self._read(there)):
                    continue
                low = lies_low(rest[:_READ_BYTES], 4, 1)
                format = PcmFormat(format.rate, format.channels, "s32le") if low is False else format
                loose = low is None
            whole = len(rest) // format.frame_bytes * format.frame_bytes
            if whole:
                yield format.samples(rest[:whole])
            rest = rest[whole:]
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
    header = read_wav_header(stream, b"RIFF\0\0\0\0WAVE")
    format = header.format if header is not None else None
    if header is None or format is None or format.rate < 1 or format.channels < 1:
        return None
    encoding = _WAV_ENCODINGS.get((format.code, format.bits, format.width))
    promised = None if header.open_end else header.promised
    return (PcmFormat(format.rate, format.channels, encoding), promised) if encoding else None
