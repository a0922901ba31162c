"""One open sound file: its header, and the streams in which libsndfile, or PyAV, reads its sound."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import soundfile

from audiosurvey.data.audio.bad_audio import BadAudio, MissingDecoder
from audiosurvey.data.audio.integrity import sound_parts
from audiosurvey.data.audio.media_file import MediaFile
from audiosurvey.data.containers.byte_view import Part, View
from audiosurvey.plainfile import not_plain

AudioFile = Path | str | bytes | BinaryIO
"""A path, the content of a sound file, or an open seekable file."""

Stamp = tuple[int, int, int, int]
_PARTS: dict[tuple[str, Stamp], tuple[Part, ...]] = {}
_MOST_PARTS = 10_000
UNKNOWN_FRAMES = 2**62
"""libsndfile gives 2^63-1 frames where a header leaves the length open."""
_NOT_AUDIO_CODES = (1, 7)
"""libsndfile's "format not recognised", and the code of its MP3 reader for a file without MP3 frames."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the header says of a sound file."""

    frames: int | None
    """Samples per channel; None where the header leaves it open."""
    sample_rate: int
    channels: int
    format: str
    """Container: WAV, FLAC, OGG, MP3, AIFF, ... as libsndfile names it; MP4, WEBM, ASF, ... of PyAV."""
    subtype: str
    """Encoding: PCM_16, FLOAT, VORBIS, ... as libsndfile names it; AAC, OPUS, ... as FFmpeg does."""

    @property
    def seconds(self) -> float | None:
        return None if self.frames is None else self.frames / self.sample_rate


class _ForwardOnly(soundfile.SoundFile):
    """`SoundFile.read` seeks after every block of a seekable file, after which libsndfile's MP3 decoder gives other
    samples."""

    def seekable(self) -> bool:
        return False


Stream = _ForwardOnly | MediaFile
"""An open stream of sound."""


class SoundStreams:
    """An open sound file: one stream of libsndfile or PyAV, or several of libsndfile that follow each other."""

    def __init__(self, stream: BinaryIO, parts: Sequence[Part], path: str | bytes | None, fault: str | None) -> None:
        """`path`: of a file that libsndfile can open unchanged."""
        self._stream, self._parts, self._path = stream, parts, path
        self.fault = fault
        """Why it is known to be truncated."""
        self.lengths: list[int | None] = []
        """Frames of each part, None where unknown."""
        self._held: Stream | None = None
        first: Probe | None = None
        for part in parts:
            sound = self._open(part)
            frames = part.frames
            if frames is None and not part.open_end and sound.frames < UNKNOWN_FRAMES:
                frames = sound.frames
            about = Probe(frames, sound.samplerate, sound.channels, part.container or sound.format, sound.subtype)
            if len(parts) == 1:
                self._held = sound
            else:
                sound.close()
            self.lengths.append(about.frames)
            first = first or about
            if (first.sample_rate, first.channels) != (about.sample_rate, about.channels):
                raise BadAudio(
                    "contains several streams of different formats: "
                    f"{first.channels} channels at {first.sample_rate} Hz, "
                    f"then {about.channels} channels at {about.sample_rate} Hz"
                )
        if first is None:
            raise BadAudio("contains no sound (zero frames)")
        known = [frames for frames in self.lengths if frames is not None]
        self.about = replace(first, frames=sum(known) if len(known) == len(parts) else None)

    @contextmanager
    def part(self, number: int) -> Iterator[Stream]:
        """One of the streams, at its beginning."""
        sound, self._held = self._held or self._open(self._parts[number]), None
        with sound:
            yield sound

    def close(self) -> None:
        if self._held is not None:
            self._held.close()

    def _open(self, part: Part) -> Stream:
        if part.demuxer is not None:
            try:
                return MediaFile(self._stream, part, UNKNOWN_FRAMES)
            except MissingDecoder:
                raise
            except BadAudio as error:
                # Without its index, a file that was truncated cannot be opened either.
                raise BadAudio(part.fault or error.reason) from error
        target: Any = View(self._stream, part) if self._path is None else self._path
        try:
            return _ForwardOnly(target)
        except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
            if isinstance(error, soundfile.LibsndfileError) and error.code not in _NOT_AUDIO_CODES:
                raise BadAudio(f"cannot be decoded ({message(error)})") from error
            raise BadAudio("not a sound file that can be read (WAV, FLAC, OGG, MP3, AIFF, ...)") from error


@contextmanager
def opened(source: AudioFile, *, cut: bool = False) -> Iterator[SoundStreams]:
    """The open sound, after the checks that need no decoding.

    `cut`: accepts a file that ends before its header says so. Raises BadAudio.
    """
    path, parts = None, None
    with _stream(source) as stream:
        with _readable():
            if isinstance(source, (str, Path)):
                stamp = _stamp(os.fstat(stream.fileno()))
                parts = parts_of_file(source, stamp, stream)
                if parts == (Part(((0, stamp[0]),)),):
                    # libsndfile opens the path itself: faster than through Python, and in parallel. Off Windows the
                    # bytes of the name are given, so that names which are not valid UTF-8 work too.
                    path = str(source) if os.name == "nt" else os.fsencode(source)
            parts = parts or sound_parts(stream)
        fault = next((part.fault for part in parts if part.fault), None)
        if fault and not cut:
            raise BadAudio(fault)
        with closing(SoundStreams(stream, parts, path, fault)) as sound:
            yield sound


def parts_of_file(path: str | Path, stamp: Stamp, stream: BinaryIO) -> tuple[Part, ...]:
    """The parts of a file with this content. Cached, since a file is hashed and then decoded, perhaps in stretches."""
    key = (os.path.abspath(path), stamp)  # noqa: PTH100  (links stay as they are)
    found = _PARTS.get(key)
    if found is None:
        if len(_PARTS) >= _MOST_PARTS:
            _PARTS.clear()
        found = _PARTS[key] = tuple(sound_parts(stream))
    return found


def stamp_of(path: Path) -> Stamp | None:
    """Size, modification time, change time and inode: equal stamps mean equal content. None if there is no file."""
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def _stamp(facts: os.stat_result) -> Stamp:
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino


@contextmanager
def _stream(source: AudioFile) -> Iterator[BinaryIO]:
    """The open file. Raises BadAudio if it cannot be opened or is empty."""
    with ExitStack() as stack:
        if isinstance(source, bytes):
            stream: BinaryIO = io.BytesIO(source)
        elif isinstance(source, (str, Path)):
            if fault := not_plain(source):
                raise BadAudio(fault)
            try:
                stream = stack.enter_context(Path(source).open("rb"))
            except FileNotFoundError:
                raise BadAudio("file not found") from None
            except OSError as error:
                reason = "is a folder" if Path(source).is_dir() else f"cannot be opened ({error.strerror or error})"
                raise BadAudio(reason) from error
        else:
            stream = source
        with _readable():
            stream.seek(0)
            if not stream.read(1):
                raise BadAudio("the file is empty (0 bytes)")
        yield stream


@contextmanager
def _readable() -> Iterator[None]:
    """Turns a read that the system refuses (a bad disk, a lost network drive) into BadAudio."""
    try:
        yield
    except OSError as error:
        raise BadAudio(f"cannot be read ({error.strerror or error})") from error


def message(error: Exception) -> str:
    """The message of libsndfile, to be put in parentheses."""
    text = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
    return text.strip().rstrip(".")
