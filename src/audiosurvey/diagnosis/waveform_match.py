"""Whether two waveforms are copies of one recording, for pairs with similar fingerprints.

Short sounds are easily mistaken for each other: two vowels of one pitch, two tones or two clicks match over most of a
fifth of a second. Therefore the required correlation rises as the overlap becomes shorter, and a sound that matches
itself equally well at another shift (a tone, a steady vowel) or contains one partial at a time (a sweep) has to match
almost exactly. Correlations are plain and whitened. Whitening divides each frequency by its magnitude to the power
3/4, which brings out soft components without letting spectral leakage count.
"""

from dataclasses import dataclass

import numpy as np

from audiosurvey.diagnosis.audio_fingerprint import LONGEST_S, PRINT_RATE

LOW_HZ, HIGH_HZ = 100.0, 3600.0
SHORTEST_OVERLAP_S = 0.05
_FADE_S = 0.02
_WHITENING = 0.75
_FINER = 4
"""Shifts are refined to a quarter of a sample, because a copy cut before resampling lies between two samples."""
_PEAK_S, _RIVAL_S = 0.001, (0.0015, 0.025)
"""Half the width of a correlation peak, and the range of lags (periods of 40 to 660 Hz) that is searched for rivals."""
_FRAME = 256

_PLAIN, _WHITE = (0.997, 0.45), (0.97, 0.4)
"""Required correlations with the least and with the most evidence."""
_SHORT_S, _LONG_S = 0.5, 3.0
_VOWEL_BINS, _NOISE_BINS = 35.0, 60.0
"""Evidence grows with the logarithm of the overlap and with the width of the spectrum; the larger of both counts."""
_MOST_RIVAL, _FEWEST_BINS, _SURE_S = 0.7, 4.0, 0.15
"""Beyond these limits only an almost exact match counts: two tones or two sweeps are similar by chance."""
_EXACT_PLAIN, _EXACT_WHITE = 0.99995, 0.9975
_STEADY_RIVAL, _STEADY_S, _STEADY_PLAIN, _STEADY_WHITE = 0.35, 1.0, 0.9998, 0.985
"""For short sounds of a steady pitch, such as two vowels of the same pitch."""
_ROUGH = 0.8
"""A pair is dropped if its correlation at whole samples is below this share of the required one."""


@dataclass(frozen=True, slots=True)
class WaveformMatch:
    """Two waves at their best shift."""

    shift_s: float
    """Positive: the first wave is delayed by this much against the second."""
    overlap_s: float
    plain: float
    """Correlation over the overlap, 0 to 1, from 100 Hz to 3.6 kHz."""
    white: float
    """The same, whitened."""
    rival: float
    """Best whitened correlation at another shift, relative to `white`: near 1 for periodic sounds."""
    bins: float
    """Effective number of bins of a 32 ms spectrum: about 4 for a tone, 10 to 20 for a vowel, 80 for noise."""

    @property
    def same_recording(self) -> bool:
        """Whether the match is too close for chance."""
        scrap = self.overlap_s < _SURE_S and self.bins < _VOWEL_BINS
        if self.rival > _MOST_RIVAL or self.bins < _FEWEST_BINS or scrap:
            return self.plain >= _EXACT_PLAIN and self.white >= _EXACT_WHITE
        plain, white = _required(self.overlap_s, self.bins)
        if self.rival > _STEADY_RIVAL and self.overlap_s < _STEADY_S:
            plain, white = _STEADY_PLAIN, _STEADY_WHITE
        return self.plain >= plain and self.white >= white


NO_MATCH = WaveformMatch(0.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def match(one_S: np.ndarray, other_S: np.ndarray) -> WaveformMatch:
    """The best match of two mono waves at 8 kHz; `NO_MATCH` if they have too little in common."""
    limit = round(LONGEST_S * PRINT_RATE)
    one_S, other_S = one_S[:limit], other_S[:limit]
    shift = _best_shift(one_S, other_S)
    if shift is None:
        return NO_MATCH
    one_S = one_S[max(shift, 0) : max(0, len(other_S) + shift)]
    other_S = other_S[max(-shift, 0) :][: len(one_S)]
    if len(one_S) < SHORTEST_OVERLAP_S * PRINT_RATE:
        return NO_MATCH
    spectra = _spectra(one_S, other_S)
    overlap_s, bins = len(one_S) / PRINT_RATE, min(_bins(one_S), _bins(other_S))
    rough = _correlation(*spectra, 0.0, finer=1)
    if rough is None or rough.max() < _ROUGH * _required(overlap_s, bins)[0]:
        return NO_MATCH
    plain, white = _correlation(*spectra, 0.0), _correlation(*spectra, _WHITENING)
    if plain is None or white is None:
        return NO_MATCH
    lag_s = np.arange(len(white)) / (_FINER * PRINT_RATE)
    lag_s = np.minimum(lag_s, lag_s[-1] + lag_s[1] - lag_s)
    at_peak = lag_s <= _PEAK_S
    others = (lag_s >= _RIVAL_S[0]) & (lag_s <= min(_RIVAL_S[1], overlap_s / 2))
    best = float(white[at_peak].max())
    second = float((white[others] / (1 - lag_s[others] / overlap_s)).max())
    return WaveformMatch(
        shift_s=shift / PRINT_RATE,
        overlap_s=overlap_s,
        plain=min(1.0, float(plain[at_peak].max())),
        white=min(1.0, best),
        rival=second / best if best > 0 else 1.0,
        bins=bins,
    )


def _required(overlap_s: float, bins: float) -> tuple[float, float]:
    """The required plain and whitened correlation."""
    by_length = np.interp(np.log(overlap_s), np.log([_SHORT_S, _LONG_S]), [0, 1])
    evidence = float(max(by_length, np.interp(bins, [_VOWEL_BINS, _NOISE_BINS], [0, 1])))
    plain, white = (least + evidence * (most - least) for least, most in (_PLAIN, _WHITE))
    return plain, white


def _best_shift(one_S: np.ndarray, other_S: np.ndarray) -> int | None:
    """In samples; None if one of the two is silent."""
    one, other = _spectra(one_S, other_S)
    cross = one * np.conj(other)
    size = np.abs(cross)
    if not size.max() > 0:
        return None
    white = np.where(size > 1e-12 * size.max(), cross / np.sqrt(np.maximum(size, 1e-300)), 0)
    peaks = np.abs(np.fft.irfft(white))
    best = int(peaks.argmax())
    return best - len(peaks) if best > len(peaks) // 2 else best


def _spectra(one_S: np.ndarray, other_S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectra of both waves from 100 Hz to 3.6 kHz, faded in and out, zero-padded for every shift."""
    span = 1 << int(np.ceil(np.log2(len(one_S) + len(other_S))))
    hertz = np.fft.rfftfreq(span, 1 / PRINT_RATE)
    used = (hertz >= LOW_HZ) & (hertz <= HIGH_HZ)
    one, other = (np.where(used, np.fft.rfft(_faded(wave_S), span), 0) for wave_S in (one_S, other_S))
    return one, other


def _faded(wave_S: np.ndarray) -> np.ndarray:
    """Fade in and out, because abrupt beginnings and ends match each other."""
    count = min(round(_FADE_S * PRINT_RATE), len(wave_S) // 4)
    rise = np.hanning(2 * count + 1)[:count]
    faded_S = wave_S.astype(np.float64)
    faded_S[:count] *= rise
    faded_S[len(faded_S) - count :] *= rise[::-1]
    return faded_S


def _correlation(one: np.ndarray, other: np.ndarray, whitening: float, finer: int = _FINER) -> np.ndarray | None:
    """Magnitude of the correlation at every shift, in steps of 1 / `finer` samples; None for silence."""
    one, other = (part / np.maximum(np.abs(part), 1e-300) ** whitening for part in (one, other))
    energy = np.sqrt((np.abs(one) ** 2).sum() * (np.abs(other) ** 2).sum())
    if not energy > 0:
        return None
    span = 2 * (len(one) - 1) * finer
    return np.abs(np.fft.irfft(one * np.conj(other), span)) * span / (2 * energy)


def _bins(wave_S: np.ndarray) -> float:
    """Effective number of bins: the participation ratio of the amplitudes of a frame, weighted by its energy."""
    frames = np.lib.stride_tricks.sliding_window_view(wave_S, _FRAME)[:: _FRAME // 2] * np.hanning(_FRAME)
    low, high = (round(hz * _FRAME / PRINT_RATE) for hz in (LOW_HZ, HIGH_HZ))
    size = np.abs(np.fft.rfft(frames, axis=1)[:, low : high + 1])
    energy = float((size**2).sum())
    return float((size.sum(axis=1) ** 2).sum()) / energy if energy > 0 else 0.0
