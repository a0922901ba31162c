"""Length, level, bandwidth and signal-to-noise ratio of a sound.

Compared with those of the training clips, they tell whether a sound was recorded differently. The wave is cut into
frames of 32 ms; the mean of each frame (DC, and anything below about 30 Hz) is removed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

FRAME_S = 0.032
BANDWIDTH_FLOOR_DB = 60.0
"""A frequency belongs to the bandwidth if its power is at most this far below that of the strongest frequency."""
_SILENCE = 1e-15
"""Mean power (-150 dBFS) below which a wave is digital silence: less than the last of 24 bits."""
_SILENT_SHARE = 1e-9
"""A frame with less than this share of the loudest frame's power (-90 dB) is a pause, not background noise."""
_GATE = 0.1
"""Frames more than 10 dB below the mean power do not count for level and bandwidth."""
_MOST_SPECTRA = 64
"""The spectrum is averaged over at most this many frames, evenly spread."""
_LEAST_FRAMES = 10
"""Fewer frames say nothing about background noise."""


@dataclass(frozen=True, slots=True)
class Measures:
    """One sound, or one window of it, before padding."""

    seconds: float
    """Length."""
    level_db: float | None
    """Level in dBFS (RMS, full scale is 1); None for digital silence."""
    bandwidth_hz: float | None
    """The highest frequency in the sound; None for digital silence."""
    snr_db: float | None
    """Level of loud frames above quiet ones, in dB; None for digital silence and for less than 0.32 s of sound."""


def measure(wave_S: np.ndarray, sample_rate: int) -> Measures:
    """Measures a wave (S) of at least one sample.

    Level: the mean power of the frames that are at most 10 dB below the mean power of all frames (the relative gate of
    ITU-R BS.1770, without its weighting), so that pauses change it little.

    Bandwidth: the highest frequency whose power, averaged over the same frames, is at most 60 dB below that of the
    strongest frequency. A sound once sampled at 8 kHz shows about 3.9 kHz at every higher rate. A dull sound also shows
    a low figure, and noise added after band-limiting (by a codec, or 16 bits at a very low level) hides it.

    Signal-to-noise ratio: the 95th percentile of the frames' powers over the 10th, without digital silence. It suits
    sounds with gaps in which only the background is heard; a steady sound (rain, an engine) shows a few dB, however
    clean it is.
    """
    samples = len(wave_S)
    frame = max(1, round(FRAME_S * sample_rate))
    whole_S = wave_S[: max(frame, samples // frame * frame)]
    if samples < frame:
        whole_S = np.pad(wave_S - wave_S.mean(), (0, frame - samples))
    frames_NS = whole_S.reshape(-1, frame).astype(np.float32)
    frames_NS -= frames_NS.mean(axis=1, keepdims=True)
    power_N = np.einsum("ns,ns->n", frames_NS, frames_NS).astype(np.float64) / min(samples, frame)
    loudest = float(power_N.max())
    if loudest < _SILENCE:
        return Measures(samples / sample_rate, None, None, None)
    sounding_N = power_N > loudest * _SILENT_SHARE
    loud_N = power_N >= _GATE * power_N[sounding_N].mean()
    return Measures(
        seconds=samples / sample_rate,
        level_db=10 * math.log10(power_N[loud_N].mean()),
        bandwidth_hz=_bandwidth(frames_NS[loud_N], sample_rate),
        snr_db=_snr(power_N[sounding_N]),
    )


def median(measures: Sequence[Measures]) -> Measures:
    """The median of each figure, of one window or more. Silent where more than half of the windows are."""
    if len(measures) == 1:
        return measures[0]
    levels = sorted(-math.inf if one.level_db is None else one.level_db for one in measures)
    level = levels[len(levels) // 2]
    return Measures(
        seconds=float(np.median([one.seconds for one in measures])),
        level_db=None if level == -math.inf else level,
        bandwidth_hz=_median([one.bandwidth_hz for one in measures]),
        snr_db=_median([one.snr_db for one in measures]),
    )


def _bandwidth(frames_NS: np.ndarray, sample_rate: int) -> float:
    frames_NS = frames_NS[:: -(-len(frames_NS) // _MOST_SPECTRA)]
    size = frames_NS.shape[1]
    spectrum_NF = np.fft.rfft(frames_NS * _blackman_harris(size), axis=1)
    power_F = (spectrum_NF.real.astype(np.float64) ** 2 + spectrum_NF.imag.astype(np.float64) ** 2).mean(axis=0)
    present_F = power_F >= power_F.max() * 10 ** (-BANDWIDTH_FLOOR_DB / 10)
    return float(np.flatnonzero(present_F)[-1] * sample_rate / size)


def _snr(power_N: np.ndarray) -> float | None:
    if len(power_N) < _LEAST_FRAMES:
        return None
    quiet, loud = np.percentile(power_N, (10, 95))
    return 10 * math.log10(loud / quiet)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


@lru_cache(maxsize=8)
def _blackman_harris(size: int) -> np.ndarray:
    """A window whose sidelobes (-92 dB) stay below the floor, so that a loud tone does not widen the bandwidth.

    Source: Harris 1978, "On the use of windows for harmonic analysis with the discrete Fourier transform", table 1.
    """
    phase_S = 2 * np.pi * np.arange(size) / size
    terms = (0.35875, -0.48829, 0.14128, -0.01168)
    return np.sum([a * np.cos(k * phase_S) for k, a in enumerate(terms)], axis=0).astype(np.float32)
