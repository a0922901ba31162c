"""Sound files to waveforms: any format that libsndfile reads, any rate, any number of channels.

Enters: a path or the bytes of a file, and if wanted a stretch in seconds; leaves: float32 mono at the wanted
sample rate, resampled with soxr's HQ setting. The first stage of the pipeline; the store calls it once a
clip, prediction calls it directly. What cannot be read raises `BadAudio` with a plain reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import soundfile
import soxr

from audiosurvey.data.audio.plausibility import implausible
from audiosurvey.data.audio.sound_file import UNKNOWN_FRAMES, BadAudio, Probe, Sound, Source, message, opened

Mono = Literal["mean", "left", "loudest"]
BLOCK_FRAMES = 65_520
"""The most frames that are decoded at once: whole blocks of SDS and PAF (10 to 60 frames), as libsndfile reads nothing
where it has to begin within the last one."""
_BLOCK_SAMPLES = 1 << 22
"""The most samples of all channels together that are decoded at once."""
_EXACT_SEEKS = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
_EXACT_CONTAINERS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"}
"""Where seeks of libsndfile give the same samples as decoding from the beginning."""


def probe(source: Source) -> Probe:
    """The header of a sound file, without decoding it. Raises BadAudio."""
    with opened(source) as sound:
        return sound.about


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
        about = sound.about
        begin, end = _bounds(about, start_s, end_s)
        pieces = _pieces(sound, begin, end)
        if block_s is not None:
            pieces = _regrouped(pieces, max(1, round(block_s * about.sample_rate)))
        if cut:
            pieces = _then_fault(pieces, sound.fault)
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


def _pieces(sound: Sound, begin: int, end: int) -> Iterator[np.ndarray]:
    """The frames from `begin` up to `end`. Memory is bounded by the size of a block, not by what a header promises."""
    length = _block_frames(sound.about.channels)
    place = given = 0
    for number, frames in enumerate(sound.lengths):
        first = place
        if place >= end:
            break
        if frames is not None and place + frames <= begin:
            place += frames
            continue
        with sound.part(number) as part:
            exact = _seeks_exactly(part)
            if exact and begin > place:
                place += _seek(part, begin - place)
            while place < end:
                # Where the decoder has no exact seeks, its blocks are the same whatever stretch is wanted.
                x_SC = _read(part, min(length, end - place) if exact else length)
                if len(x_SC) == 0:
                    break
                wanted_SC = x_SC[max(0, begin - place) : end - place]
                place += len(x_SC)
                if len(wanted_SC):
                    if fault := implausible(wanted_SC):
                        raise BadAudio(fault)
                    given += len(wanted_SC)
                    yield wanted_SC
        if frames is not None and place < min(first + frames, end):
            raise BadAudio(f"cut short: {min(first + frames, end) - first} frames promised, {place - first} decoded")
    if given == 0 and begin:
        raise BadAudio(
            f"the stretch begins at {begin / sound.about.sample_rate:g} s, the file ends at "
            f"{place / sound.about.sample_rate:.3f} s"
        )
    if given == 0:
        raise BadAudio("holds no sound (zero frames)")


def _read(sound: soundfile.SoundFile, count: int) -> np.ndarray:
    try:
        return sound.read(count, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise BadAudio(f"cannot be decoded ({message(error)})") from error


def _block_frames(channels: int) -> int:
    frames = min(BLOCK_FRAMES, _BLOCK_SAMPLES // channels)
    return max(1, frames - frames % 120)


def _seeks_exactly(sound: soundfile.SoundFile) -> bool:
    return sound.subtype in _EXACT_SEEKS and sound.format in _EXACT_CONTAINERS and sound.frames < UNKNOWN_FRAMES


def _seek(sound: soundfile.SoundFile, frame: int) -> int:
    try:
        return sound.seek(frame)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise BadAudio(f"cannot be decoded ({message(error)})") from error


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


def _then_fault(pieces: Iterator[np.ndarray], fault: str | None) -> Iterator[np.ndarray]:
    """The pieces, and then the fault of a file that is known to be cut short."""
    yield from pieces
    if fault:
        raise BadAudio(fault)
