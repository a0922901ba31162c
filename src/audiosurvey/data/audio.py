"""Sound files to waveforms: any format that libsndfile reads, any rate, any number of channels.

Enters: a path or the bytes of a file, and if wanted a stretch in seconds; leaves: float32 mono at the wanted
sample rate, resampled with soxr's HQ setting. The first stage of the pipeline; the store calls it once a
clip, prediction calls it directly. What cannot be read raises `BadAudio` with a plain reason.
"""

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import soundfile
import soxr

from audiosurvey.data.integrity import ClosedWav, missing_end, unclosed_wav
from audiosurvey.data.plausibility import implausible
from audiosurvey.plainfile import not_plain

Mono = Literal["mean", "left", "loudest"]
Source = Path | str | bytes | BinaryIO
"""A path, the content of a sound file, or an open one that can be sought in."""

UNKNOWN_FRAMES = 2**62
"""libsndfile gives 2^63-1 frames where a header leaves the length open."""
BLOCK_FRAMES = 1 << 16
"""The most frames that are decoded at once."""
_BLOCK_SAMPLES = 1 << 22
"""The most samples of all channels together that are decoded at once."""
_EXACT_SEEKS = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
_EXACT_CONTAINERS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"}
"""Where seeks of libsndfile give the same samples as decoding from the beginning."""
_NOT_AUDIO_CODES = (1, 7)
"""libsndfile's "format not recognised", and what its MP3 reader says of a file without MP3 frames."""


class BadAudio(Exception):
    """A file, or a stretch of it, that gives no usable sound; `reason` says why, without the path."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Probe:
    """What the header says of a sound file."""

    frames: int | None
    """Samples a channel; None where the header leaves it open."""
    sample_rate: int
    channels: int
    format: str
    """Container, as libsndfile names it: WAV, FLAC, OGG, MP3, AIFF, ..."""
    subtype: str
    """Encoding: PCM_16, FLOAT, VORBIS, ..."""

    @property
    def seconds(self) -> float | None:
        return None if self.frames is None else self.frames / self.sample_rate


def probe(source: Source) -> Probe:
    """The header of a sound file, without decoding it. Raises BadAudio."""
    with opened(source) as sound:
        return _about(sound)


def decode(
    source: Source,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    mono: Mono = "mean",
    sample_rate: int | None,
) -> np.ndarray:
    """The sound from `start_s` up to `end_s` as float32 mono at `sample_rate` (None: the file's own).

    `mono`: the mean of the channels, the first one, or the one with the largest RMS in this stretch. Full
    scale is 1; floating-point files may go beyond. `end_s` beyond the end of the file stands for the end.

    Shape: (S,), where S = round(frames * sample_rate / own rate) for the `frames` of the stretch, halves up.
    Raises BadAudio: unreadable or not audio, cut short, without frames, NaN or infinite samples, a stretch
    that begins behind the end.
    """
    x_SC, rate = read(source, start_s=start_s, end_s=end_s)
    wave_S = to_mono(x_SC, mono)
    return resample(wave_S, rate, sample_rate) if sample_rate else wave_S


def read(source: Source, *, start_s: float | None = None, end_s: float | None = None) -> tuple[np.ndarray, int]:
    """All channels of a stretch as they are in the file: float32 (S, C), and the sample rate in Hz.

    Raises BadAudio as `decode` does.
    """
    with blocks(source, start_s=start_s, end_s=end_s) as (about, pieces):
        parts = list(pieces)
    return parts[0] if len(parts) == 1 else np.concatenate(parts), about.sample_rate


@contextmanager
def blocks(
    source: Source,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    block_s: float | None = None,
    cut: bool = False,
) -> Iterator[tuple[Probe, Iterator[np.ndarray]]]:
    """The header, and the stretch in blocks of `block_s` seconds: float32 (S, C), the last one shorter.

    Every sound is decoded through here, forward and in blocks of one size, so that the samples do not depend on
    `block_s`. Without `block_s` the blocks have the size of the decoder's. `cut`: a file that ends before its header
    says so gives what is there before BadAudio is raised. Raises BadAudio as `decode` does; what shows while decoding
    is raised by the blocks.
    """
    with opened(source, cut=cut) as sound:
        about = _about(sound)
        begin, end = _bounds(about, start_s, end_s)
        pieces = _pieces(sound, begin, end)
        if block_s is not None:
            pieces = _regrouped(pieces, max(1, round(block_s * about.sample_rate)))
        if cut:
            pieces = _then_fault(pieces, source)
        yield about, pieces


def to_mono(x_SC: np.ndarray, mono: Mono) -> np.ndarray:
    """One channel (S,) of float32 (S, C); `mono` as in `decode`, the first of equally loud channels."""
    if x_SC.shape[1] == 1:
        return np.ascontiguousarray(x_SC[:, 0])
    if mono == "left":
        channel = 0
    elif mono == "loudest":
        channel = int(np.argmax(np.einsum("sc,sc->c", x_SC, x_SC, dtype=np.float64)))
    elif mono == "mean":
        return x_SC.mean(axis=1, dtype=np.float32)
    else:
        raise ValueError(f"unknown way to mono: {mono!r}")
    return np.ascontiguousarray(x_SC[:, channel])


def resample(wave_S: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """float32 (S,) from `rate` to `sample_rate` (Hz): round(S * sample_rate / rate) samples, halves up.

    Raises BadAudio where that is none.
    """
    length = resampled_length(len(wave_S), rate, sample_rate)
    if length == 0:
        raise BadAudio(f"too short: {len(wave_S)} frames at {rate} Hz are less than a sample at {sample_rate} Hz")
    if rate == sample_rate:
        return wave_S
    out_S = soxr.resample(wave_S, rate, sample_rate, quality="HQ")
    # soxr rounds the length in its own way; a sample more or less at the end is cut or silence.
    if len(out_S) < length:
        out_S = np.pad(out_S, (0, length - len(out_S)))
    return out_S[:length]


def resampled_length(frames: int, rate: int, sample_rate: int) -> int:
    """round(frames * sample_rate / rate), halves up, in whole numbers so that it is the same everywhere."""
    return (2 * frames * sample_rate + rate) // (2 * rate)


class _Forward(soundfile.SoundFile):
    """A sound file whose blocks are read without seeks.

    `SoundFile.read` seeks after every block of a seekable file, and libsndfile's MP3 decoder gives other samples after
    a seek.
    """

    def seekable(self) -> bool:
        return False


def _about(sound: Any) -> Probe:
    frames = sound.frames if sound.frames < UNKNOWN_FRAMES else None
    return Probe(frames, sound.samplerate, sound.channels, sound.format, sound.subtype)


def _bounds(about: Probe, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """First frame of a stretch, and the one behind its last."""
    begin = 0 if start_s is None else round(start_s * about.sample_rate)
    end = UNKNOWN_FRAMES if end_s is None else round(end_s * about.sample_rate)
    if about.frames is not None:
        end = min(end, about.frames)
        if about.frames == 0:
            raise BadAudio("holds no sound (zero frames)")
        if begin >= about.frames:
            raise BadAudio(f"the stretch begins at {start_s:g} s, the file ends at {about.seconds:.3f} s")
    if begin < 0 or end <= begin:
        raise BadAudio(f"the stretch from {start_s or 0:g} s to {end_s or 0:g} s holds no sound")
    return begin, end


def _pieces(sound: Any, begin: int, end: int) -> Iterator[np.ndarray]:
    """The frames from `begin` up to `end`. Memory is bounded by the size of a block, not by what a header promises."""
    length = max(1, min(BLOCK_FRAMES, _BLOCK_SAMPLES // sound.channels))
    done = 0
    try:
        _go_to(sound, begin, length)
        while begin + done < end:
            x_SC = sound.read(min(length, end - begin - done), dtype="float32", always_2d=True)
            if len(x_SC) == 0:
                break
            if fault := implausible(x_SC):
                raise BadAudio(fault)
            done += len(x_SC)
            yield x_SC
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise BadAudio(f"cannot be decoded ({message(error)})") from error
    if begin + done < end < UNKNOWN_FRAMES and sound.frames < UNKNOWN_FRAMES:
        raise BadAudio(f"cut short: {end - begin} frames promised, {done} decoded")
    if done == 0:
        raise BadAudio("holds no sound (zero frames)")


def _go_to(sound: Any, begin: int, length: int) -> None:
    """Moves to frame `begin`: by a seek where seeks are exact, otherwise by decoding what comes before it."""
    if begin and sound.frames < UNKNOWN_FRAMES and sound.subtype in _EXACT_SEEKS and sound.format in _EXACT_CONTAINERS:
        sound.seek(begin)
        return
    while begin > 0 and (passed := len(sound.read(min(begin, length), dtype="float32"))):
        begin -= passed


def _regrouped(pieces: Iterator[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """The same frames in blocks of `length`, the last one shorter."""
    held: list[np.ndarray] = []
    count = 0
    for piece_SC in pieces:
        held.append(piece_SC)
        count += len(piece_SC)
        if count < length:
            continue
        joined_SC = np.concatenate(held) if len(held) > 1 else piece_SC
        whole = count // length * length
        for at in range(0, whole, length):
            yield joined_SC[at : at + length]
        held, count = ([joined_SC[whole:]] if whole < count else []), count - whole
    if held:
        yield np.concatenate(held)


def _then_fault(pieces: Iterator[np.ndarray], source: Source) -> Iterator[np.ndarray]:
    """The pieces, and then the fault of a file that is known to be cut short."""
    yield from pieces
    fault = ends_early(source)
    if fault:
        raise BadAudio(fault)


@contextmanager
def opened(source: Source, *, cut: bool = False) -> Iterator[Any]:
    """The open soundfile.SoundFile, after the checks that need no decoding.

    `cut`: also a file that ends before its header says it does. Raises BadAudio.
    """
    with ExitStack() as closing:
        stream = closing.enter_context(_stream(source))
        with _readable():
            fault, begin = missing_end(stream), unclosed_wav(stream)
        if fault and not cut:
            raise BadAudio(fault)
        target: Any = stream if begin is None else ClosedWav(stream, begin)
        if begin is None and isinstance(source, (str, Path)):
            # libsndfile opens the path itself: faster than through Python, and in parallel. Off Windows the bytes of
            # the name are given, so that names which are no valid UTF-8 work too.
            target = str(source) if os.name == "nt" else os.fsencode(source)
            stream.close()
        yield closing.enter_context(_sound(target))


def ends_early(source: Source) -> str | None:
    """Why a file is known to be cut short without decoding it, in plain words, or None."""
    with _stream(source) as stream, _readable():
        return missing_end(stream)


@contextmanager
def _stream(source: Source) -> Iterator[BinaryIO]:
    """The bytes of a sound file, which are not none."""
    with ExitStack() as closing:
        if isinstance(source, bytes):
            stream: BinaryIO = io.BytesIO(source)
        elif isinstance(source, (str, Path)):
            if fault := not_plain(source):
                raise BadAudio(fault)
            try:
                stream = closing.enter_context(Path(source).open("rb"))
            except FileNotFoundError:
                raise BadAudio("file not found") from None
            except OSError as error:
                reason = "is a folder" if Path(source).is_dir() else f"cannot be opened ({error.strerror or error})"
                raise BadAudio(reason) from error
        else:
            stream = source
        with _readable():
            stream.seek(0)
            empty = not stream.read(1)
        if empty:
            raise BadAudio("the file is empty (0 bytes)")
        yield stream


@contextmanager
def _readable() -> Iterator[None]:
    """Reads of the file; one that the system refuses (a bad disk, a lost network drive) raises BadAudio."""
    try:
        yield
    except OSError as error:
        raise BadAudio(f"cannot be read ({error.strerror or error})") from error


def _sound(target: Any) -> soundfile.SoundFile:
    """Opened by libsndfile: a path as bytes or text, or an open file. Raises BadAudio."""
    named = isinstance(target, (str, bytes))
    try:
        if not named:
            target.seek(0)
        sound = _Forward(target)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, soundfile.LibsndfileError) and error.code not in _NOT_AUDIO_CODES:
            raise BadAudio(f"cannot be decoded ({message(error)})") from error
        raise BadAudio("not a sound file that can be read (WAV, FLAC, OGG, MP3, AIFF, ...)") from error
    return sound


def message(error: Exception) -> str:
    """What libsndfile says, as the end of a sentence of ours."""
    text = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
    return text.strip().rstrip(".")
