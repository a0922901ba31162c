"""Scores of the windows of a sound of any length in bounded memory.

Files, pipes and microphones are processed alike: mono blocks at the model's rate, then windows, then scores. At most a
window and a block are kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile

import numpy as np

from audiosurvey.artefact.classifier import Classifier, unusable_reason
from audiosurvey.data.audio.decoding import AudioFile, BadAudio, Mono
from audiosurvey.data.audio.measures import Measures
from audiosurvey.data.audio.resampling import mono_blocks
from audiosurvey.data.audio.windows import cut
from audiosurvey.errors import UserError
from audiosurvey.training.sound_scores import ScoredWindows


@dataclass(frozen=True, slots=True)
class WindowScores:
    """The scores of one window."""

    start_s: float
    end_s: float
    """End of the sound in the window, which is earlier than the end of the window if the sound is shorter."""
    score_K: np.ndarray
    """Uncalibrated probabilities; calibration comes after every mean (`Classifier.temperatures`)."""
    windows: int = 1
    """Number of the model's windows averaged here; several if the window is longer than the model's."""
    measures: Measures | None = None
    """Recording conditions of the window; None for a model without a training range."""


def read_blocks(source: AudioFile, *, sample_rate: int, mono: Mono = "mean") -> Iterator[np.ndarray]:
    """A sound as mono float32 blocks (S) at `sample_rate`; joined, they equal `data.audio.decoding.decode` exactly.

    With `mono` "loudest", a file with several channels is read twice, since its loudest channel is known at its end
    only. Raises BadAudio at the position of a fault, after the blocks before it.
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

    `window_s`: default is the window of the model; `hop_s`: distance of window starts, default is a window. The last
    window ends with the sound; a sound shorter than a window is one window. Each window is scored like a sound of that
    length by `model.predict`: padded if it is shorter than the model's window, the mean over several if it is longer.
    `batch_size`: windows of the model scored together. If the blocks end in BadAudio, the complete windows before it
    come first. Raises BadAudio also for scores that are not finite.
    """
    window, hop = window_samples(model, window_s, hop_s)
    for batch in score_batches(model, blocks, window, hop, batch_size=batch_size):
        yield from batch


def window_samples(model: Classifier, window_s: float | None, hop_s: float | None) -> tuple[int, Fraction]:
    """Window and hop in samples; the hop may be fractional. Raises UserError for less than one sample."""
    window = model.clip_samples if window_s is None else round(window_s * model.sample_rate)
    hop = Fraction(window) if hop_s is None else Fraction(hop_s * model.sample_rate).limit_denominator(1_000_000)
    if window < 1 or hop < 1:
        raise UserError(f"window and hop: {window} and {float(hop):g} samples; expected at least one")
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
    """`score_stream` in batches, window and hop in samples.

    The first `skip` windows, complete batches, are not scored; the scores of the others do not depend on `skip`.
    """
    # A window longer than the model's consists of several.
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
    """The uncalibrated scores of waves (S), each cut into windows as by `model.predict`; batches may span sounds."""
    windows = [model.windows(wave_S) for wave_S in waves]
    rows_WS = np.concatenate(windows)
    batches = [rows_WS[at : at + batch_size] for at in range(0, len(rows_WS), batch_size)]
    scores_WK = np.concatenate([model.uncalibrated(rows_BS) for rows_BS in batches])
    return ScoredWindows(scores_WK, np.array([len(rows) for rows in windows]))


def _usable(batch: list[WindowScores]) -> Iterator[list[WindowScores]]:
    """The windows before the first without finite scores; raises BadAudio for that one."""
    good = list(takewhile(lambda window: unusable_reason(window.score_K) is None, batch))
    if good:
        yield good
    if len(good) < len(batch):
        raise BadAudio(f"{unusable_reason(batch[len(good)].score_K)}, from {batch[len(good)].start_s:g} s on")


def _scored(model: Classifier, parts: Sequence[tuple[int, np.ndarray]], batch_size: int) -> list[WindowScores]:
    scored = score_sounds(model, [part_S for _, part_S in parts], batch_size)
    rate = model.sample_rate
    return [
        WindowScores(start / rate, (start + len(part_S)) / rate, score_K, int(count), model.measured(part_S))
        for (start, part_S), score_K, count in zip(parts, scored.sounds_NK, scored.counts_N, strict=True)
    ]
