"""Simulated recording conditions of clips: softer, clipped, band-limited, shorter, noisy."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import soxr

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Maps a wave (S) to the changed wave, with the random generator of its clip."""


@dataclass(frozen=True, slots=True)
class RecordingCondition:
    """One way in which recordings differ from the clips of a data set."""

    name: str
    change: Change


def conditions(sample_rate: int) -> list[RecordingCondition]:
    """The conditions in the order of the table, for waves at `sample_rate`; band limits above it are left out.

    Lengths are shares of each clip: of clips of 5 s, the first 90, 50 and 20 % are 4.5, 2.5 and 1 s, and the silence of
    20 % is one second, which replaces as much of the clip's end.
    """
    rows: list[tuple[str, Change]] = [
        ("as they are", lambda wave_S, rng: wave_S),
        ("20 dB softer", lambda wave_S, rng: wave_S * np.float32(0.1)),
        ("40 dB softer", lambda wave_S, rng: wave_S * np.float32(0.01)),
        ("12 dB louder, clipped", lambda wave_S, rng: np.clip(4 * wave_S, -1, 1)),
    ]
    for low in (8000, 4000):
        if low < sample_rate:
            rows.append((f"sampled at {low // 1000} kHz", partial(_at_rate, sample_rate=sample_rate, low=low)))
    rows += [
        ("first 90 %", lambda wave_S, rng: _first(wave_S, 9, 10)),
        ("first 50 %", lambda wave_S, rng: _first(wave_S, 1, 2)),
        ("first 20 %", lambda wave_S, rng: _first(wave_S, 1, 5)),
        ("white noise 20 dB below", partial(_noisy, snr_db=20)),
        ("white noise 10 dB below", partial(_noisy, snr_db=10)),
        ("20 % of silence first", lambda wave_S, rng: np.pad(wave_S, (len(wave_S) // 5, 0))[: len(wave_S)]),
        ("DC 0.1", lambda wave_S, rng: wave_S + np.float32(0.1)),
        ("inverted", lambda wave_S, rng: -wave_S),
        ("twice", lambda wave_S, rng: np.concatenate([wave_S, wave_S])),
    ]
    return [RecordingCondition(name, change) for name, change in rows]


def band_limited(wave_S: np.ndarray, sample_rate: int, low: int) -> np.ndarray:
    """The wave (S) resampled to `low` Hz and back, of the same length."""
    low_S = soxr.resample(wave_S, sample_rate, low)
    back_S = soxr.resample(low_S, low, sample_rate).astype(np.float32)[: len(wave_S)]
    return np.pad(back_S, (0, len(wave_S) - len(back_S)))


def _at_rate(wave_S: np.ndarray, rng: np.random.Generator, *, sample_rate: int, low: int) -> np.ndarray:
    return band_limited(wave_S, sample_rate, low)


def _first(wave_S: np.ndarray, share: int, of: int) -> np.ndarray:
    return wave_S[: max(1, len(wave_S) * share // of)]


def _noisy(wave_S: np.ndarray, rng: np.random.Generator, *, snr_db: float) -> np.ndarray:
    """The wave with white Gaussian noise that many decibels below its mean power."""
    power = float(np.square(wave_S, dtype=np.float64).mean()) + 1e-12
    noise_S = rng.standard_normal(len(wave_S)).astype(np.float32)
    return wave_S + noise_S * np.float32(np.sqrt(power * 10 ** (-snr_db / 10)))
