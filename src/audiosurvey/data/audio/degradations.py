"""Recordings made otherwise: softer, clipped, band-limited, shorter, noisy. Pure functions of a wave.

Enters: a clip's wave (S) at the model's rate; leaves: the same clip as another recorder would have brought it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import soxr

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""A wave (S) and the random generator of its clip give the changed wave."""


@dataclass(frozen=True, slots=True)
class RecordingCondition:
    """One way in which recordings differ from the clips of a data set."""

    name: str
    change: Change


def conditions(sample_rate: int) -> list[RecordingCondition]:
    """The conditions in the order of the table, for waves at `sample_rate`; band limits above it are left out.

    Lengths are shares of each clip: of clips of 5 s the first 90, 50 and 20 % are 4.5, 2.5 and 1 s, and the silence of
    20 % is one second.
    """
    rows: list[tuple[str, Change]] = [
        ("as they are", lambda wave_S, rng: wave_S),
        ("20 dB softer", lambda wave_S, rng: amplified(wave_S, -20)),
        ("40 dB softer", lambda wave_S, rng: amplified(wave_S, -40)),
        ("12 dB louder, clipped", lambda wave_S, rng: np.clip(4 * wave_S, -1, 1)),
    ]
    for low in (8000, 4000):
        if low < sample_rate:
            rows.append((f"sampled at {low // 1000} kHz", partial(_band_limited, low, sample_rate)))
    rows += [
        ("first 90 %", lambda wave_S, rng: first(wave_S, 9, 10)),
        ("first 50 %", lambda wave_S, rng: first(wave_S, 1, 2)),
        ("first 20 %", lambda wave_S, rng: first(wave_S, 1, 5)),
        ("white noise 20 dB below", lambda wave_S, rng: noisy(wave_S, 20, rng)),
        ("white noise 10 dB below", lambda wave_S, rng: noisy(wave_S, 10, rng)),
        ("20 % of silence first", lambda wave_S, rng: delayed(wave_S, 1, 5)),
        ("DC 0.1", lambda wave_S, rng: wave_S + np.float32(0.1)),
        ("inverted", lambda wave_S, rng: -wave_S),
        ("twice", lambda wave_S, rng: np.concatenate([wave_S, wave_S])),
    ]
    return [RecordingCondition(name, change) for name, change in rows]


def amplified(wave_S: np.ndarray, gain_db: float) -> np.ndarray:
    """The wave with another level."""
    return wave_S * np.float32(10 ** (gain_db / 20))


def band_limited(wave_S: np.ndarray, sample_rate: int, low: int) -> np.ndarray:
    """The wave as it is after a recorder that samples at `low` Hz, at its own rate again."""
    there_S = soxr.resample(wave_S, sample_rate, low)
    back_S = soxr.resample(there_S, low, sample_rate).astype(np.float32)[: len(wave_S)]
    return np.pad(back_S, (0, len(wave_S) - len(back_S)))


def first(wave_S: np.ndarray, share: int, of: int) -> np.ndarray:
    """The first `share` / `of` of the wave, one sample at least."""
    return wave_S[: max(1, len(wave_S) * share // of)]


def noisy(wave_S: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """The wave with white Gaussian noise that many decibels below its mean power."""
    power = float(np.square(wave_S, dtype=np.float64).mean()) + 1e-12
    noise_S = rng.standard_normal(len(wave_S)).astype(np.float32)
    return wave_S + noise_S * np.float32(np.sqrt(power * 10 ** (-snr_db / 10)))


def delayed(wave_S: np.ndarray, share: int, of: int) -> np.ndarray:
    """The wave after a silence of `share` / `of` of its length; as much of its end is lost."""
    silent = len(wave_S) * share // of
    return np.concatenate([np.zeros(silent, np.float32), wave_S[: len(wave_S) - silent]])


def _band_limited(low: int, sample_rate: int, wave_S: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return band_limited(wave_S, sample_rate, low)
