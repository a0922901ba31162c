"""Differences between the scores of an exported file and its model, and the processor time of both.

Batches of several sizes and lengths are compared, made of the golden clips and silence; for a model without golden
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
"""Largest difference of scores due to another order of summation."""
INT8_TOLERANCE = 0.1
"""For 8 bits: largest difference of the scores of a clip, averaged over the clips used for the ranges."""
_PATIENCE_S = 8.0
_REPEATS = 9


@dataclass(frozen=True)
class BatchDifference:
    """One batch through both models."""

    batch: int
    seconds: float
    difference: float | None
    """The largest difference of scores; None if the batch was skipped as too slow."""


def compare_batches(model: Model, exported: Classifier, lengths: tuple[int, ...]) -> list[BatchDifference]:
    """Compare batches of BATCHES sounds of these lengths in samples, in order.

    A batch that would take the model more than 8 s, estimated from those before, is skipped.
    """
    rows: list[BatchDifference] = []
    pace = 0.0
    sounds = cycle(probes(model))
    for samples in lengths:
        for batch in BATCHES:
            seconds = samples / model.sample_rate
            if pace * batch * samples > _PATIENCE_S:
                rows.append(BatchDifference(batch, seconds, None))
                continue
            wave_BS = np.stack([np.resize(next(sounds), samples) for _ in range(batch)])
            begun = time.perf_counter()
            wanted_BK = model.scores(wave_BS)
            pace = (time.perf_counter() - begun) / wave_BS.size
            rows.append(BatchDifference(batch, seconds, float(np.abs(exported.scores(wave_BS) - wanted_BK).max())))
    return rows


def probes(model: Model) -> list[np.ndarray]:
    """Sounds (S) of one window: the golden clips, or a chirp and noise if there are none, and silence."""
    samples, rate = model.clip_samples, model.sample_rate
    silence = np.zeros(samples, np.float32)
    if model.golden is not None:
        return [*model.golden.wave_BS, silence]
    seconds = np.arange(samples) / rate
    # From 20 Hz to half the rate, to cover every band.
    sweep = (rate / 2 - 20) / max(seconds[-1], 1 / rate)
    noise = stream(0, "export").standard_normal(samples)
    # With noise 30 dB below, in 16 bits: around a clean chirp the spectrum is rounding error, which becomes visible in
    # decibels and differs between programs.
    chirp = 0.5 * np.sin(2 * np.pi * (20 * seconds + sweep * seconds**2 / 2)) + 0.01 * noise
    return [*(np.round(wave * 32768).astype(np.float32) / 32768 for wave in (chirp, 0.1 * noise)), silence]


def processor_ms(first: Classifier, second: Classifier, wave_S: np.ndarray) -> tuple[float, float]:
    """Processor time of one clip with each model in ms, the median of alternating runs. torch uses one thread."""
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
