"""Sounds of any length in bounded memory: blocks of samples in, the scores of one window after another out.

Files, pipes and microphones go the same way: blocks of any size at any rate become mono blocks at the model's rate
(`read_blocks`, `data.resampling`), then windows with scores (`score_stream`). At most a window and a block are held.
The blocks of a file joined are what `data.audio.decode` gives of the whole, bit for bit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile

import numpy as np

from audiosurvey.artefact.classifier import Classifier, unusable
from audiosurvey.data.audio.decoding import AudioFile, BadAudio, Mono
from audiosurvey.data.audio.measures import Measures
from audiosurvey.data.audio.resampling import mono_blocks
from audiosurvey.data.audio.windows import cut
from audiosurvey.errors import UserError
from audiosurvey.training.sound_scores import ScoredWindows


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


def read_blocks(source: AudioFile, *, sample_rate: int, mono: Mono = "mean") -> Iterator[np.ndarray]:
    """The sound of a file, block after block: mono float32 (S) at `sample_rate`.

    With `mono` "loudest" a file of several channels is read twice, since its loudest channel shows at its end only.
    Raises BadAudio as `data.audio.decode` does, but where the fault is: what comes before it has been given then. A
    file that was cut short gives what is there first.
    """
    return mono_blocks(source, mono=mono, sample_rate=sample_rate, cut=True)


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
    blocks end in BadAudio, the whole windows before it come first. Scores that are not numbers raise BadAudio too.
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
                full, waiting = waiting, []
                yield from _usable(_scored(model, full, batch_size))
    except BadAudio:
        if waiting:
            yield from _usable(_scored(model, waiting, batch_size))
        raise
    if waiting:
        yield from _usable(_scored(model, waiting, batch_size))


def score_sounds(model: Classifier, waves: Sequence[np.ndarray], batch_size: int) -> ScoredWindows:
    """The uncalibrated scores of waves (S), each cut as by `model.predict`, with windows of several scored at once."""
    windows = [model.windows(wave_S) for wave_S in waves]
    rows_WS = np.concatenate(windows)
    batches = [rows_WS[at : at + batch_size] for at in range(0, len(rows_WS), batch_size)]
    scores_WK = np.concatenate([model.uncalibrated(rows_BS) for rows_BS in batches])
    return ScoredWindows(scores_WK, np.array([len(rows) for rows in windows]))


def _usable(batch: list[WindowScores]) -> Iterator[list[WindowScores]]:
    """The windows before the first without usable scores, then BadAudio for that one."""
    good = list(takewhile(lambda window: unusable(window.score_K) is None, batch))
    if good:
        yield good
    if len(good) < len(batch):
        raise BadAudio(f"{unusable(batch[len(good)].score_K)}, from {batch[len(good)].start_s:g} s on")


def _scored(model: Classifier, parts: Sequence[tuple[int, np.ndarray]], batch_size: int) -> list[WindowScores]:
    scored = score_sounds(model, [part_S for _, part_S in parts], batch_size)
    rate = model.sample_rate
    return [
        WindowScores(start / rate, (start + len(part_S)) / rate, score_K, int(count), model.measured(part_S))
        for (start, part_S), score_K, count in zip(parts, scored.sounds_NK, scored.counts_N, strict=True)
    ]
