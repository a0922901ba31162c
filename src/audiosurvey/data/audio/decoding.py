"""Sound files to waveforms: any format that libsndfile or PyAV reads, any rate, any number of channels.

Everything that cannot be read raises `BadAudio` with a plain reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import soundfile
import soxr

from audiosurvey.data.audio.bad_audio import BadAudio
from audiosurvey.data.audio.plausibility import implausible
from audiosurvey.data.audio.sound_file import UNKNOWN_FRAMES, AudioFile, Probe, SoundStreams, message, opened

Mono = Literal["mean", "left", "loudest"]
BLOCK_FRAMES = 65_520
"""The most frames decoded at once: a multiple of the blocks of SDS and PAF (10 to 60 frames), since libsndfile reads
nothing from within the last of them."""
_BLOCK_SAMPLES = 1 << 22
"""The most samples of all channels together decoded at once."""
_EXACT_SEEKS = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
_EXACT_CONTAINERS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"}
"""Where seeks of libsndfile give the same samples as decoding from the beginning."""


def probe(source: AudioFile) -> Probe:
    """The header of a sound file, without decoding it. Raises BadAudio."""
    with opened(source) as sound:
        return sound.about


def decode(
    source: AudioFile,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    mono: Mono = "mean",
    sample_rate: int | None,
) -> np.ndarray:
    """The sound from `start_s` up to `end_s` as float32 mono at `sample_rate` (None: the file's own).

    `mono`: the mean of the channels, the first one, or the one with the largest RMS in this stretch. Full scale is 1;
    floating-point files may exceed it. An `end_s` beyond the end of the file stands for the end.

    Shape: (S,), where S = round(frames * sample_rate / own rate) for the `frames` of the stretch, halves up.
    Raises BadAudio: unreadable or not audio, truncated, without frames, NaN or infinite samples, a stretch that begins
    after the end.
    """
    x_SC, rate = read(source, start_s=start_s, end_s=end_s)
    wave_S = to_mono(x_SC, mono)
    return resample(wave_S, rate, sample_rate) if sample_rate else wave_S


def read(source: AudioFile, *, start_s: float | None = None, end_s: float | None = None) -> tuple[np.ndarray, int]:
    """All channels of a stretch as they are in the file: float32 (S, C), and the sample rate in Hz.

    Raises BadAudio as `decode` does.
    """
    with blocks(source, start_s=start_s, end_s=end_s) as (about, pieces):
        parts = list(pieces)
    return parts[0] if len(parts) == 1 else np.concatenate(parts), about.sample_rate


@contextmanager
def blocks(
    source: AudioFile, *, start_s: float | None = None, end_s: float | None = None, cut: bool = False
) -> Iterator[tuple[Probe, Iterator[np.ndarray]]]:
    """The header, and the stretch in blocks of at most BLOCK_FRAMES frames: float32 (S, C).

    `cut`: a file that ends before its header says so gives what is there before BadAudio is raised. Raises BadAudio as
    `decode` does; faults that show while decoding are raised by the blocks.
    """
    with opened(source, cut=cut) as sound:
        yield sound.about, _blocks(sound, *_bounds(sound.about, start_s, end_s), sound.fault if cut else None)


def to_mono(x_SC: np.ndarray, mono: Mono) -> np.ndarray:
    """One channel (S,) of float32 (S, C); `mono` as in `decode`, the first of equally loud channels."""
    if x_SC.shape[1] == 1:
        return np.ascontiguousarray(x_SC[:, 0])
    if mono == "mean":
        return x_SC.mean(axis=1, dtype=np.float32)
    if mono not in ("left", "loudest"):
        raise ValueError(f"unknown way to mono: {mono!r}")
    channel = 0 if mono == "left" else int(np.argmax(np.einsum("sc,sc->c", x_SC, x_SC, dtype=np.float64)))
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
    # soxr rounds the length differently: a sample more or less at the end is cut or padded.
    if len(out_S) < length:
        out_S = np.pad(out_S, (0, length - len(out_S)))
    return out_S[:length]


def resampled_length(frames: int, rate: int, sample_rate: int) -> int:
    """round(frames * sample_rate / rate), halves up, in integers so that it is the same everywhere."""
    return (2 * frames * sample_rate + rate) // (2 * rate)


def _bounds(about: Probe, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """First frame of a stretch, and the one after its last."""
    begin = 0 if start_s is None else round(start_s * about.sample_rate)
    end = UNKNOWN_FRAMES if end_s is None else round(end_s * about.sample_rate)
    if about.frames is not None:
        end = min(end, about.frames)
        if about.frames == 0:
            raise BadAudio("contains no sound (zero frames)")
        if begin >= about.frames:
            raise BadAudio(f"the segment begins at {start_s:g} s, the file ends at {about.seconds:.3f} s")
    if begin < 0 or end <= begin:
        raise BadAudio(f"the segment from {start_s or 0:g} s to {end_s or 0:g} s contains no sound")
    return begin, end


def _blocks(sound: SoundStreams, begin: int, end: int, fault: str | None) -> Iterator[np.ndarray]:
    """The frames from `begin` up to `end`. Memory is bounded by the size of a block, not by what a header promises."""
    length = min(BLOCK_FRAMES, _BLOCK_SAMPLES // sound.about.channels)
    length = max(1, length - length % 120)
    place, empty = 0, True
    for number, frames in enumerate(sound.lengths):
        first = place
        if place >= end:
            break
        if frames is not None and place + frames <= begin:
            place += frames
            continue
        with sound.part(number) as part, _decoding_errors():
            exact = part.subtype in _EXACT_SEEKS and part.format in _EXACT_CONTAINERS and part.frames < UNKNOWN_FRAMES
            if exact and begin > place and isinstance(part, soundfile.SoundFile):
                place += part.seek(begin - place)
            while place < end:
                # Without exact seeks, blocks are decoded at the same places whatever stretch is wanted.
                x_SC = part.read(min(length, end - place) if exact else length, dtype="float32", always_2d=True)
                if len(x_SC) == 0:
                    break
                wanted_SC = x_SC[max(0, begin - place) : end - place]
                place += len(x_SC)
                if len(wanted_SC):
                    if not_sound := implausible(wanted_SC):
                        raise BadAudio(not_sound)
                    empty = False
                    yield wanted_SC
        if frames is not None and place < min(first + frames, end):
            raise BadAudio(f"truncated: {place - first} of {min(first + frames, end) - first} frames decoded")
    if empty and begin:
        rate = sound.about.sample_rate
        raise BadAudio(f"the segment begins at {begin / rate:g} s, the file ends at {place / rate:.3f} s")
    if empty or fault:
        raise BadAudio("contains no sound (zero frames)" if empty else str(fault))


@contextmanager
def _decoding_errors() -> Iterator[None]:
    try:
        yield
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise BadAudio(f"cannot be decoded ({message(error)})") from error
