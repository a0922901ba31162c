"""Sounds of any length in bounded memory: blocks of samples in, the scores of one window after another out.

Files, pipes and microphones go the same way: blocks of any size at any rate become mono blocks at the model's rate
(`read_blocks`, `converted`), and those become windows with scores (`score_stream`). No more than a window and a block
is held. The blocks of a file joined are what `data.audio.decode` gives of the whole, bit for bit (an MP3:
to the last bit of float32).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import soundfile
import soxr

from audiosurvey.data.audio import (
    UNKNOWN_FRAMES,
    BadAudio,
    Mono,
    Source,
    ends_early,
    message,
    opened,
    resampled_length,
    to_mono,
)
from audiosurvey.data.measures import Measures
from audiosurvey.data.windows import cut
from audiosurvey.deploy.classifier import Classifier
from audiosurvey.errors import UserError
from audiosurvey.training.sound_scores import ScoredWindows

BLOCK_FRAMES = 1 << 16


@dataclass(frozen=True, slots=True)
class WindowScores:
    """What the model says of one window."""

    start_s: float
    end_s: float
    """Where the sound of the window ends; a sound shorter than a window ends before the window does."""
    score_K: np.ndarray
    """Uncalibrated probabilities, so that calibration comes after every mean (`Classifier.temperatures`)."""
    windows: int = 1
    """Windows of the model that the score is the mean of: several where the window is longer than the model's."""
    measures: Measures | None = None
    """How the sound of the window was recorded; None for a model that does not know what it was trained on."""


def read_blocks(source: Source, *, sample_rate: int, mono: Mono = "mean") -> Iterator[np.ndarray]:
    """The sound of a file, block after block: mono float32 (S) at `sample_rate`.

    With `mono` "loudest" a file of several channels is read twice, since its loudest channel shows at its end only.
    Raises BadAudio as `data.audio.decode` does, but where the fault is: what comes before it has been given then. A
    file that was cut short gives what is there first.
    """
    channel = _loudest(source) if mono == "loudest" else None
    with opened(source, cut=True) as sound:
        blocks_SC = _file_blocks(sound)
        if channel is not None:
            blocks_SC = (block_SC[:, channel : channel + 1] for block_SC in blocks_SC)
        yield from converted(blocks_SC, sound.samplerate, sample_rate=sample_rate, mono=mono)
    fault = ends_early(source)
    if fault:
        raise BadAudio(fault)


def converted(
    blocks_SC: Iterable[np.ndarray], rate: int, *, sample_rate: int, mono: Mono = "mean"
) -> Iterator[np.ndarray]:
    """Blocks of float32 (S, C) at `rate` as mono blocks (S) at `sample_rate`.

    All blocks together give round(frames * sample_rate / rate) samples, as the whole sound would. Raises BadAudio for
    samples that are not numbers, and where there is no sound.
    """
    resampler = (
        soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ") if rate != sample_rate else None
    )
    frames = given = 0
    for block_SC in blocks_SC:
        if not np.isfinite(block_SC).all():
            raise BadAudio("holds samples that are not numbers (NaN or infinity)")
        frames += len(block_SC)
        wave_S = to_mono(block_SC, mono)
        if resampler is not None:
            wave_S = resampler.resample_chunk(wave_S)
        given += len(wave_S)
        if len(wave_S):
            yield wave_S
    if frames == 0:
        raise BadAudio("holds no sound (zero frames)")
    length = resampled_length(frames, rate, sample_rate)
    if length == 0:
        raise BadAudio(f"too short: {frames} frames at {rate} Hz are less than a sample at {sample_rate} Hz")
    if resampler is not None:
        # soxr rounds the length in its own way; a sample more or less at the end is cut or silence.
        rest_S = resampler.resample_chunk(np.empty(0, np.float32), last=True)[: max(0, length - given)]
        yield np.pad(rest_S, (0, max(0, length - given - len(rest_S))))


def score_stream(
    model: Classifier,
    blocks: Iterable[np.ndarray],
    *,
    window_s: float | None = None,
    hop_s: float | None = None,
    batch_size: int = 16,
) -> Iterator[WindowScores]:
    """The scores of each window of a stream, in order.

    `window_s`: the model's own window where None; `hop_s`: from the start of one window to the next, the length of a
    window where None. The last window ends with the sound; a sound shorter than a window is one window. Each window is
    scored as `model.predict` scores a sound of that length: padded where it is shorter than the model's own window, cut
    into several with their mean where it is longer. `batch_size` windows of the model are scored at once. Where the
    blocks end in BadAudio, the whole windows before it come first.
    """
    window, hop = in_samples(model, window_s, hop_s)
    for batch in score_batches(model, blocks, window, hop, batch_size=batch_size):
        yield from batch


def in_samples(model: Classifier, window_s: float | None, hop_s: float | None) -> tuple[int, Fraction]:
    """Window and hop in samples of the model; a hop may lie between samples. Raises UserError for less than one."""
    window = model.clip_samples if window_s is None else round(window_s * model.sample_rate)
    hop = Fraction(window) if hop_s is None else Fraction(hop_s * model.sample_rate).limit_denominator(1_000_000)
    if window < 1 or hop < 1:
        raise UserError(f"window and hop: {window} and {float(hop):g} samples; expected one at least")
    return window, hop


def score_batches(
    model: Classifier,
    blocks: Iterable[np.ndarray],
    window: int,
    hop: Fraction,
    *,
    batch_size: int = 16,
    skip: int = 0,
) -> Iterator[list[WindowScores]]:
    """`score_stream` in the portions in which it is worked out, window and hop in samples.

    The first `skip` windows, whole portions, are passed over without scores; the others are scored as without `skip`,
    to the same bits.
    """
    # A window longer than the model's own is several of the model's.
    at_once = max(1, batch_size // -(-window // model.clip_samples))
    waiting: list[tuple[int, np.ndarray]] = []
    try:
        for number, (start, part_S) in enumerate(cut(blocks, window, hop)):
            if number < skip:
                continue
            waiting.append((start, part_S))
            if len(waiting) == at_once:
                yield _scored(model, waiting, batch_size)
                waiting = []
    except BadAudio:
        if waiting:
            yield _scored(model, waiting, batch_size)
        raise
    if waiting:
        yield _scored(model, waiting, batch_size)


def score_sounds(model: Classifier, waves: Sequence[np.ndarray], batch_size: int) -> ScoredWindows:
    """The uncalibrated scores of waves (S), each cut as by `model.predict`, with windows of several scored at once."""
    windows = [model.windows(wave_S) for wave_S in waves]
    rows_WS = np.concatenate(windows)
    batches = [rows_WS[at : at + batch_size] for at in range(0, len(rows_WS), batch_size)]
    scores_WK = np.concatenate([model.uncalibrated(rows_BS) for rows_BS in batches])
    return ScoredWindows(scores_WK, np.array([len(rows) for rows in windows]))


def _scored(model: Classifier, parts: Sequence[tuple[int, np.ndarray]], batch_size: int) -> list[WindowScores]:
    scored = score_sounds(model, [part_S for _, part_S in parts], batch_size)
    rate = model.sample_rate
    return [
        WindowScores(start / rate, (start + len(part_S)) / rate, score_K, int(count), model.measured(part_S))
        for (start, part_S), score_K, count in zip(parts, scored.sounds_NK, scored.counts_N, strict=True)
    ]


def _file_blocks(sound: soundfile.SoundFile) -> Iterator[np.ndarray]:
    promised, read = sound.frames, 0
    try:
        while len(block_SC := sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            read += len(block_SC)
            yield block_SC
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise BadAudio(f"cannot be decoded ({message(error)})") from error
    if read < promised < UNKNOWN_FRAMES:
        raise BadAudio(f"cut short: {promised} frames promised, {read} decoded")


def _loudest(source: Source) -> int | None:
    """The channel with the most energy in the whole file, the first of equally loud ones."""
    with opened(source, cut=True) as sound:
        if sound.channels == 1:
            return None
        energy_C = np.zeros(sound.channels)
        for block_SC in _file_blocks(sound):
            energy_C += np.einsum("sc,sc->c", block_SC, block_SC, dtype=np.float64)
    return int(np.argmax(energy_C))
