"""The inputs of a prediction, opened: sound files, standard input, or a microphone.

Raw samples and plain WAV from standard input are scored while they arrive. Other formats, and sounds that get a single
prediction, must be seekable or have a known length: they go through a temporary file, so that memory stays bounded.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from audiosurvey.atomic import naming
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.prediction.microphone import Microphone
from audiosurvey.prediction.pcm import PcmFormat, PcmSource, read_wav_format
from audiosurvey.prediction.sources import FileSource, SoundSource, find_sources
from audiosurvey.prediction.window_scoring import SHORT_S

STDIN = "-"
MICROPHONE = "--mic"
_MAGIC = (
    *(b"RIFF", b"RIFX", b"RF64", b"BW64", b"riff", b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"ID3"),
    *(b"Crea", b"NIST", b" paf", b"fap ", b"2BIT", b"PVF1", b"\x64\xa3", b"\0\0\xa3\x64", b"Exte"),
    *(b"dns.", b"MATLAB 5.0", b"ALawSoundFil"),
)
"""First bytes of audio files."""
_WEAK_MAGIC = (b"\1\4", b"\xf0\x7e", b"\0\0\0\0\1\0\0\0\1", b"\0\0\3\xe8\0\0\0\1\0\0\0\1")
"""First bytes of MPC2K, SDS and MAT4 files; raw samples may begin like this too."""


@contextmanager
def open_sources(words: Sequence[str], pcm: PcmFormat | None, *, whole: bool) -> Iterator[Sequence[SoundSource]]:
    """Open the inputs of a prediction.

    `words`: paths and patterns, or `-` alone, or `--mic` alone; `pcm`: format of raw samples on standard input;
    `whole`: each sound gets one prediction. Raises UserError if there are no such sounds.
    """
    if STDIN not in words and pcm is not None:
        raise ArgumentError(
            "{rate}, {channels}, {encoding}: are for raw samples on stdin; leave them out, or give -",
            **dict.fromkeys(("rate", "channels", "encoding"), ...),
        )
    if list(words) == [MICROPHONE]:
        if whole:
            raise ArgumentError("{whole}: a microphone has no end; leave it out", whole=True)
        yield [Microphone()]
    elif list(words) == [STDIN]:
        with open_stdin(sys.stdin.buffer, pcm, whole=whole) as source:
            yield [source]
    else:
        yield find_sources(words)


class _RecordingReader:
    """Keeps what was read from a stream that cannot seek."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.taken = stream, b""

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self.taken += content
        return content


@contextmanager
def open_stdin(stream: BinaryIO, pcm: PcmFormat | None, *, whole: bool) -> Iterator[SoundSource]:
    """The sound on a stream. `pcm`: format of raw samples, which have no header.

    Raises UserError for an empty stream, and for one that is not a sound file without `pcm`.
    """
    reader = _RecordingReader(stream)
    head = reader.read(12)
    if not head:
        raise UserError(f"{STDIN}: standard input is empty")
    raw = pcm is not None and not head.startswith(_MAGIC)
    if not raw and not head.startswith(_MAGIC) and not _may_be_sound(head):
        raise ArgumentError(
            f"{STDIN}: not a sound file; for raw samples give {{rate}}, and {{channels}} and {{encoding}} if they are "
            "not 1 and s16le",
            **dict.fromkeys(("rate", "channels", "encoding"), ...),
        )
    if pcm is not None and raw and not whole:
        yield PcmSource(stream, pcm, begin=head)
        return
    if head[:4] == b"RIFF" and head[8:] == b"WAVE" and not whole:
        found = read_wav_format(reader)
        if found is not None:
            format, promised = found
            short = promised is not None and promised <= SHORT_S * format.rate * format.frame_bytes
            # 24 bits in four bytes: only the samples show which three bytes are used.
            undecided = format.encoding == "s24_32le"
            yield PcmSource(stream, format, promised=promised, live=not short, undecided=undecided)
            return
    with tempfile.TemporaryDirectory(prefix="audiosurvey-") as folder:
        path = Path(folder, "stdin")
        with naming(path), path.open("wb") as file:
            file.write(reader.taken)
            shutil.copyfileobj(stream, file)
        size = path.stat().st_size
        if pcm is not None and raw:
            with path.open("rb") as file:
                yield PcmSource(file, pcm, promised=size // pcm.frame_bytes * pcm.frame_bytes, live=False)
        else:
            yield FileSource(path, STDIN, size)


def _may_be_sound(head: bytes) -> bool:
    """Whether the bytes may begin a file without a clear magic number, such as MP3 (eleven ones) or HTK."""
    return (head[0] == 0xFF and head[1:2] >= b"\xe0") or head[8:12] == b"\0\2\0\0" or head.startswith(_WEAK_MAGIC)
