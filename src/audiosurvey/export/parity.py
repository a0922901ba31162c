"""Whether an exported file gives the scores of its model, and what a clip costs with either.

Compared are batches of several sizes and lengths, of the model's golden clips and silence in turn; for a model without
clips, of a chirp, noise and silence.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.folder import Model
from audiosurvey.randomness import stream
from audiosurvey.threads import one_thread

BATCHES = (1, 3, 17)
LENGTHS_S = (1, 5, 30)
TOLERANCE = 1e-4
"""Largest difference of a score that is put down to another order of sums."""
INT8_TOLERANCE = 0.1
"""For 8 bits: the largest difference of a clip's scores, in the mean over the clips that the ranges are from."""
_PATIENCE_S = 8.0
_REPEATS = 9


@dataclass(frozen=True)
class Compared:
    """One batch through both."""

    batch: int
    seconds: float
    difference: float | None
    """The largest of all scores; None where it was left out, since it would have taken too long."""


def compare(model: Model, exported: Classifier, lengths: tuple[int, ...]) -> list[Compared]:
    """Both on batches of BATCHES sounds of these lengths in samples, the short ones first.

    A batch that would take the model longer than 8 s, judged by those before, is left out.
    """
    rows: list[Compared] = []
    pace = 0.0
    sounds = cycle(probes(model))
    for samples in lengths:
        for batch in BATCHES:
            seconds = samples / model.sample_rate
            if pace * batch * samples > _PATIENCE_S:
                rows.append(Compared(batch, seconds, None))
                continue
            wave_BS = np.stack([np.resize(next(sounds), samples) for _ in range(batch)])
            begun = time.perf_counter()
            wanted_BK = model.scores(wave_BS)
            pace = (time.perf_counter() - begun) / wave_BS.size
            rows.append(Compared(batch, seconds, float(np.abs(exported.scores(wave_BS) - wanted_BK).max())))
    return rows


def probes(model: Model) -> list[np.ndarray]:
    """Sounds (S) of one window each: real ones where the model has golden clips, else made ones, and silence."""
    samples, rate = model.clip_samples, model.sample_rate
    silence = np.zeros(samples, np.float32)
    if model.golden is not None:
        return [*model.golden.wave_BS, silence]
    seconds = np.arange(samples) / rate
    # From 20 Hz up to half the rate, so that every band is met.
    sweep = (rate / 2 - 20) / max(seconds[-1], 1 / rate)
    noise = stream(0, "export").standard_normal(samples)
    # Over noise 30 dB below and in 16 bits, as sounds are: beside a clean chirp stands nothing but the rounding of
    # whoever computes the spectrum, which decibels bring out and two programs never share.
    chirp = 0.5 * np.sin(2 * np.pi * (20 * seconds + sweep * seconds**2 / 2)) + 0.01 * noise
    return [*(np.round(wave * 32768).astype(np.float32) / 32768 for wave in (chirp, 0.1 * noise)), silence]


def processor_ms(first: Classifier, second: Classifier, wave_S: np.ndarray) -> tuple[float, float]:
    """Processor time of one clip with either, median of runs in turns, in milliseconds. torch runs in one thread."""
    with one_thread():
        first.scores(wave_S)
        second.scores(wave_S)
        pairs = [
            (_processor_s(lambda: first.scores(wave_S)), _processor_s(lambda: second.scores(wave_S)))
            for _ in range(_REPEATS)
        ]
    medians = [statistics.median(column) * 1e3 for column in zip(*pairs, strict=True)]
    return medians[0], medians[1]


def _processor_s(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun
