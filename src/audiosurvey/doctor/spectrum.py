"""The mean spectrum of a sound, and where it ends.

Enters: pieces of a wave; leaves: its level in bands of 250 Hz, and the frequency above which there is nothing. A
sound that was resampled from a lower rate, or went through a lossy codec, ends in a cliff: a network that knows
which class ends where needs to listen to nothing else. Natural sounds fall off slowly and have no cliff.
"""

import numpy as np

BAND_HZ = 250.0
_FFT = 1024
_CLIFF_DB = 25.0
"""Tonal sounds fall by up to 20 dB from one band to the next but one, and lossy codecs by 30 to 100."""
_LOWEST_EDGE_HZ = 1000.0
_FLOOR = 1e-20


class Spectrum:
    """Mean power spectrum of a wave that comes in pieces: windows of 1024 samples, one after another."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._window = np.hanning(_FFT + 1)[:_FFT].astype(np.float32)
        self._power = np.zeros(_FFT // 2 + 1)
        self._frames = 0
        self._rest_S = np.zeros(0, np.float32)

    def add(self, wave_S: np.ndarray) -> None:
        """Takes the next piece; a window may span two of them."""
        wave_S = np.concatenate([self._rest_S, wave_S])
        whole = len(wave_S) // _FFT * _FFT
        self._rest_S = wave_S[whole:].copy()
        if whole:
            self._take(wave_S[:whole])

    def _take(self, wave_S: np.ndarray) -> None:
        spectra = np.fft.rfft(wave_S.reshape(-1, _FFT) * self._window, axis=1)
        self._power += (spectra.real**2 + spectra.imag**2).sum(axis=0)
        self._frames += len(spectra)

    def bands_db(self) -> np.ndarray:
        """Level of each band of 250 Hz up to half the rate; white noise of variance v has 10 log10(v) in all of them.

        The median over a band's bins: a pure tone does not count for the whole band. A sound shorter than a window is
        followed by zeros.
        """
        if not self._frames:
            self._take(np.pad(self._rest_S, (0, _FFT - len(self._rest_S))))
        power = self._power / max(1, self._frames) / float((self._window**2).sum())
        level_db = 10 * np.log10(power + _FLOOR)
        bins = max(1, round(BAND_HZ * _FFT / self.sample_rate))
        bands = len(level_db) // bins
        return np.median(level_db[: bands * bins].reshape(bands, bins), axis=1).astype(np.float32)

    @property
    def band_hz(self) -> float:
        """Width of a band in Hz: a whole number of bins near 250 Hz."""
        return max(1, round(BAND_HZ * _FFT / self.sample_rate)) * self.sample_rate / _FFT


def bandwidth_hz(bands_db: np.ndarray, band_hz: float, sample_rate: int) -> float:
    """The frequency at which a sound ends: the foot of the steepest cliff, or half the rate where there is none.

    A cliff is a fall of at least 25 dB across one band, above which nothing comes back.
    """
    if len(bands_db) < 3:
        return sample_rate / 2
    above = np.maximum.accumulate(bands_db[::-1])[::-1]
    first = max(1, int(np.ceil(_LOWEST_EDGE_HZ / band_hz)))
    fall_db = bands_db[first - 1 : -2] - above[first + 1 :]
    if len(fall_db) == 0 or fall_db.max() < _CLIFF_DB:
        return sample_rate / 2
    return float((first + int(fall_db.argmax())) * band_hz)
