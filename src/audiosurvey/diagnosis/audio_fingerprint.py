"""Audio fingerprints: features that survive gain, shifts, MP3 coding and resampling.

Two copies are found in three steps, from cheap to expensive:

1. `outline`, the magnitudes of the fingerprint's spectrum along time. A shift does not change them, so that all pairs
   are compared by one matrix product; of very many sounds, only the pairs that share parts of their fingerprints are
   (`likely_pairs`).
2. `agreement`, the correlation of two fingerprints at their best shift.
3. `waveform_match.match`, the correlation of the waveforms. Two takes of the same clock agree in step 2; only copies of
   one recording match in step 3.

The features are changes of level between neighbouring frames and bands, as in J. Haitsma and T. Kalker, "A highly
robust audio fingerprinting system" (2002), with their magnitude rather than their sign alone.
"""

from dataclasses import dataclass, replace

import numpy as np

from audiosurvey.diagnosis.key_index import keys_of

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


@dataclass(frozen=True, slots=True)
class AudioFingerprint:
    """About 9 kB for 5 seconds, 15 kB at most."""

    change_TF: np.ndarray
    """int8: change of spectral shape, in multiples of its standard deviation; frames of 16 ms, 15 pairs of bands."""
    outline: np.ndarray
    """float16, of norm 1; zeros for a sound with too few frames that change."""
    keys: np.ndarray
    """uint64: 2 kB at most, see `key_index`."""

    @property
    def moving_frames(self) -> int:
        """Number of frames with any change."""
        return int(np.count_nonzero(np.any(self.change_TF != 0, axis=1)))


def audio_fingerprint(wave_S: np.ndarray) -> AudioFingerprint:
    """The fingerprint of a mono wave at 8 kHz."""
    level_db = _levels(wave_S[: round(LONGEST_S * PRINT_RATE)])
    change = _change(level_db)
    change_TF = _quantized(change)
    # Also half a frame later, interpolated: frames of a copy may begin anywhere between those of the original.
    keys = keys_of([change, (change[1:] + change[:-1]) / 2])
    found = AudioFingerprint(change_TF, np.zeros(_SPAN // 8 * change_TF.shape[1], np.float16), keys)
    enough = found.moving_frames >= _FEWEST_FRAMES
    return replace(found, outline=_outline(change_TF).astype(np.float16)) if enough else found


def agreement(one: AudioFingerprint, other: AudioFingerprint) -> float:
    """Correlation of two fingerprints at their best shift: 1 for the same sound, about 0.1 for unrelated ones."""
    a_TF, b_TF = one.change_TF.astype(np.float32), other.change_TF.astype(np.float32)
    span = _SPAN if len(a_TF) + len(b_TF) <= _SPAN else 2 * _SPAN
    product = np.fft.rfft(a_TF, span, axis=0) * np.conj(np.fft.rfft(b_TF, span, axis=0))
    energy = float((a_TF**2).sum()) * float((b_TF**2).sum())
    return float(np.fft.irfft(product.sum(axis=1), span).max() / np.sqrt(energy)) if energy else 0.0


def _levels(wave_S: np.ndarray) -> np.ndarray:
    """Levels of bands in dB, a frame every 16 ms, (T, F)."""
    padded_S = np.pad(wave_S.astype(np.float32), (_FFT // 2, _FFT // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded_S, _FFT)[::_HOP] * np.hanning(_FFT).astype(np.float32)
    spectra = np.fft.rfft(frames, axis=1)
    power = spectra.real**2 + spectra.imag**2
    edges = np.round(_EDGES_HZ * _FFT / PRINT_RATE).astype(int)
    return 10 * np.log10(np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1) + 1e-12)


def _change(level_db: np.ndarray) -> np.ndarray:
    """Change from frame to frame of the level difference between neighbouring bands, (T, F).

    A gain adds the same number of dB to all bands, and a filter to all frames: both cancel.
    """
    if not len(level_db):
        return np.zeros((0, len(_EDGES_HZ) - 2))
    level_db = np.maximum(level_db, level_db.max() - _RANGE_DB)
    return np.diff(np.diff(level_db, axis=1), axis=0)


def _quantized(change: np.ndarray) -> np.ndarray:
    """int8, in multiples of the standard deviation."""
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
