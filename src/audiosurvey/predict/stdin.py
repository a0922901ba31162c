"""`predict MODEL -`: a sound from standard input: a sound file of any format, or raw samples.

Raw samples and plain WAV are scored as they come. Other formats, and whole sounds, need to be sought in or their
length known: they go through a temporary file, so that memory stays bounded there too.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from audiosurvey.atomic import naming
from audiosurvey.errors import UserError
from audiosurvey.predict.pcm import PcmFormat, PcmSource, wav_header
from audiosurvey.predict.scan import SHORT_S
from audiosurvey.predict.sources import FileSource, Source

NAME = "-"
_BEGINNINGS = (
    *(b"RIFF", b"RIFX", b"RF64", b"BW64", b"riff", b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"ID3"),
    *(b"Crea", b"NIST", b" paf", b"fap ", b"2BIT", b"PVF1", b"\x64\xa3", b"\0\0\xa3\x64", b"Exte"),
    *(b"dns.", b"MATLAB 5.0", b"ALawSoundFil"),
)
"""How files of sound begin: the names that stand there."""
_FAINT_BEGINNINGS = (b"\1\4", b"\xf0\x7e", b"\0\0\0\0\1\0\0\0\1", b"\0\0\3\xe8\0\0\0\1\0\0\0\1")
"""Of MPC2K, SDS and MAT4: raw samples may begin so too."""


class _Recorder:
    """A stream that remembers what was read of it, which cannot be sought back to."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.taken = stream, b""

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self.taken += content
        return content


@contextmanager
def open_stdin(stream: BinaryIO, pcm: PcmFormat | None, *, whole: bool) -> Iterator[Source]:
    """The sound on a stream. `pcm`: how raw samples are written, where there is no header to tell.

    Raises UserError where there is nothing, or nothing that tells what it is.
    """
    recorder = _Recorder(stream)
    head = recorder.read(12)
    if not head:
        raise UserError(f"{NAME}: nothing came on standard input")
    raw = pcm is not None and not head.startswith(_BEGINNINGS)
    if not raw and not head.startswith(_BEGINNINGS) and not _may_be_sound(head):
        mend = "for raw samples give --rate, and --channels and --encoding where they are not 1 and s16le"
        raise UserError(f"{NAME}: not a sound file; {mend}")
    if pcm is not None and raw and not whole:
        yield PcmSource(stream, pcm, begin=head)
        return
    if head[:4] == b"RIFF" and head[8:] == b"WAVE" and not whole:
        found = wav_header(recorder)
        if found is not None:
            format, promised = found
            short = promised is not None and promised <= SHORT_S * format.rate * format.frame_bytes
            # 24 bits in four bytes: only the samples show which three of them.
            loose = format.encoding == "s24_32le"
            yield PcmSource(stream, format, promised=promised, live=not short, loose=loose)
            return
    with tempfile.TemporaryDirectory(prefix="audiosurvey-") as folder:
        path = Path(folder, "stdin")
        with naming(path), path.open("wb") as file:
            file.write(recorder.taken)
            shutil.copyfileobj(stream, file)
        size = path.stat().st_size
        if pcm is not None and raw:
            with path.open("rb") as file:
                yield PcmSource(file, pcm, promised=size // pcm.frame_bytes * pcm.frame_bytes, live=False)
        else:
            yield FileSource(path, NAME, size)


def _may_be_sound(head: bytes) -> bool:
    """Whether files without a clear mark begin so, as raw samples may too: MP3 with eleven ones, HTK with its form."""
    return (head[0] == 0xFF and head[1:2] >= b"\xe0") or head[8:12] == b"\0\2\0\0" or head.startswith(_FAINT_BEGINNINGS)
