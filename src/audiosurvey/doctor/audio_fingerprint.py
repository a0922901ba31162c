"""Audio fingerprints: features that survive gain, shifts, MP3 coding and resampling.

Two copies are found in three steps, from cheap to expensive:

1. `outline`, the magnitudes of the fingerprint's spectrum along time. A shift does not change them, so that all pairs
   are compared by one matrix product.
2. `agreement`, the correlation of two fingerprints at their best shift.
3. `waveform_match.match`, the correlation of the waveforms. Two takes of the same clock agree in step 2; only copies of
   one recording match in step 3.

The features are changes of level between neighbouring frames and bands, as in J. Haitsma and T. Kalker, "A highly
robust audio fingerprinting system" (2002), with their magnitude rather than their sign alone.
"""

from dataclasses import dataclass

import numpy as np

PRINT_RATE = 8000
"""Hz. Content above 3.6 kHz is lost first by codecs and at low rates."""
LONGEST_S = 10.0
"""The fingerprint covers this much from the beginning of a sound."""
_FFT, _HOP = 512, 128
_EDGES_HZ = np.geomspace(200.0, 3600.0, 17)
_RANGE_DB = 60.0
_FULL = 127
_CLIP_SIGMA = 3.0
_SPAN = 1024
"""Frames of the transform along time: at least twice those of 8 s, and more than the longest fingerprint."""
_SMOOTH = 15
_FEWEST_FRAMES = 12
NEIGHBOURS = 5
_OUTLINE_LEAST = 0.15
_BLOCK_CLIPS = 512
_SHORT_FRAMES, _FEWEST_SHORT_FRAMES, _MOST_SHORT = 64, 8, 4000


@dataclass(frozen=True, slots=True)
class AudioFingerprint:
    """About 5 kB for 5 seconds."""

    change_TF: np.ndarray
    """int8: change of spectral shape, in multiples of its standard deviation; frames of 16 ms, 15 pairs of bands."""
    outline: np.ndarray
    """float16, of norm 1; zeros for a sound with too few frames that change."""


def audio_fingerprint(wave_S: np.ndarray) -> AudioFingerprint:
    """The fingerprint of a mono wave at 8 kHz."""
    change_TF = _change(wave_S[: round(LONGEST_S * PRINT_RATE)])
    enough = _moving(change_TF) >= _FEWEST_FRAMES
    outline = _outline(change_TF) if enough else np.zeros(_SPAN // 8 * change_TF.shape[1])
    return AudioFingerprint(change_TF, outline.astype(np.float16))


def likely_pairs(prints: list[AudioFingerprint]) -> list[tuple[int, int]]:
    """Pairs of positions, the lower first, of which one is among the nearest neighbours of the other by outline.

    Memory grows linearly with the number of sounds, time quadratically: ten thousand take seconds.
    """
    outlines = np.array([one.outline for one in prints], np.float16)
    pairs: set[tuple[int, int]] = set()
    for begin in range(0, len(prints), _BLOCK_CLIPS):
        near = outlines[begin : begin + _BLOCK_CLIPS].astype(np.float32)
        products = [
            near @ outlines[other : other + _BLOCK_CLIPS].astype(np.float32).T
            for other in range(0, len(prints), _BLOCK_CLIPS)
        ]
        likeness = np.concatenate(products, axis=1)
        rows = np.arange(len(near))
        likeness[rows, begin + rows] = -1
        few = min(NEIGHBOURS, len(prints) - 1)
        nearest = np.argpartition(-likeness, few - 1, axis=1)[:, :few] if few else np.empty((len(near), 0), int)
        for row, column in zip(np.repeat(rows, few), nearest.ravel(), strict=True):
            if likeness[row, column] >= _OUTLINE_LEAST:
                one, other = sorted((begin + int(row), int(column)))
                pairs.add((one, other))
    return sorted(pairs)


def likely_short_pairs(prints: list[AudioFingerprint], least: float) -> list[tuple[int, int]]:
    """Like `likely_pairs`, for sounds of less than a second: pairs that agree by at least `least`.

    Their outlines carry too little information. Instead all pairs of the first 4000 such sounds are compared; 700 take
    seconds.
    """
    short = [row for row, one in enumerate(prints) if _moving(one.change_TF) >= _FEWEST_SHORT_FRAMES]
    short = [row for row in short if len(prints[row].change_TF) <= _SHORT_FRAMES][:_MOST_SHORT]
    if len(short) < 2:
        return []
    tables = [prints[row].change_TF.astype(np.float32) for row in short]
    spectra = np.array([np.fft.rfft(t / np.linalg.norm(t), 2 * _SHORT_FRAMES, axis=0) for t in tables], np.complex64)
    pairs: list[tuple[int, int]] = []
    for row in range(1, len(short)):
        cross = (spectra[:row] * spectra[row].conj()).sum(axis=2)
        best = np.fft.irfft(cross, 2 * _SHORT_FRAMES, axis=1).max(axis=1)
        pairs += [(short[int(other)], short[row]) for other in np.flatnonzero(best >= least)]
    return pairs


def agreement(one: AudioFingerprint, other: AudioFingerprint) -> float:
    """Correlation of two fingerprints at their best shift: 1 for the same sound, about 0.1 for unrelated ones."""
    a_TF, b_TF = one.change_TF.astype(np.float32), other.change_TF.astype(np.float32)
    span = _SPAN if len(a_TF) + len(b_TF) <= _SPAN else 2 * _SPAN
    product = np.fft.rfft(a_TF, span, axis=0) * np.conj(np.fft.rfft(b_TF, span, axis=0))
    energy = float((a_TF**2).sum()) * float((b_TF**2).sum())
    return float(np.fft.irfft(product.sum(axis=1), span).max() / np.sqrt(energy)) if energy else 0.0


def _moving(change_TF: np.ndarray) -> int:
    """Number of frames with any change."""
    return int(np.count_nonzero(np.any(change_TF != 0, axis=1)))


def _change(wave_S: np.ndarray) -> np.ndarray:
    """int8 (T, F): change from frame to frame of the level difference between neighbouring bands.

    A gain adds the same number of dB to all bands, and a filter to all frames: both cancel.
    """
    padded_S = np.pad(wave_S.astype(np.float32), (_FFT // 2, _FFT // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded_S, _FFT)[::_HOP] * np.hanning(_FFT).astype(np.float32)
    spectra = np.fft.rfft(frames, axis=1)
    power = spectra.real**2 + spectra.imag**2
    edges = np.round(_EDGES_HZ * _FFT / PRINT_RATE).astype(int)
    level_db = 10 * np.log10(np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1) + 1e-12)
    level_db = np.maximum(level_db, level_db.max() - _RANGE_DB)
    change = np.diff(np.diff(level_db, axis=1), axis=0)
    spread = float(change.std()) if change.size else 0.0
    if spread < 1e-6:
        return np.zeros(change.shape, np.int8)
    return np.rint(np.clip(change / (spread * _CLIP_SIGMA), -1, 1) * _FULL).astype(np.int8)


def _outline(change_TF: np.ndarray) -> np.ndarray:
    """Magnitudes of the spectrum along time, each relative to the mean of its neighbours."""
    size = np.abs(np.fft.rfft(change_TF.astype(np.float32), _SPAN, axis=0))[1 : _SPAN // 4 + 1 : 2]
    half = _SMOOTH // 2
    sums = np.cumsum(np.pad(size, ((half + 1, half), (0, 0)), mode="reflect"), axis=0)
    around = (sums[_SMOOTH:] - sums[:-_SMOOTH]) / _SMOOTH
    special = (size / (around + 1e-6) - 1).ravel()
    return special / (np.linalg.norm(special) + 1e-12)
