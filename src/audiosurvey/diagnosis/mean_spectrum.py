"""The mean spectrum of a sound, and the frequency at which it ends.

A sound that was resampled from a lower rate or lossily compressed ends in a cliff. If only one class has it, a network
can recognise the class by it alone. Natural sounds fall off slowly, without a cliff.
"""

import numpy as np

BAND_HZ = 250.0
_FFT = 1024
_CLIFF_DB = 25.0
"""Tonal sounds fall by up to 20 dB over two bands, lossy codecs by 30 to 100 dB."""
_LOWEST_EDGE_HZ = 1000.0


class MeanSpectrum:
    """Mean power spectrum of a wave that arrives in blocks, from adjacent windows of 1024 samples."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._window = np.hanning(_FFT + 1)[:_FFT].astype(np.float32)
        self._power = np.zeros(_FFT // 2 + 1)
        self._frames = 0
        self._rest_S = np.zeros(0, np.float32)
        self._bins_per_band = max(1, round(BAND_HZ * _FFT / sample_rate))
        self.band_hz = self._bins_per_band * sample_rate / _FFT
        """Width of a band in Hz: a whole number of bins, about 250 Hz."""

    def add(self, wave_S: np.ndarray) -> None:
        """Take the next block; windows may span blocks."""
        wave_S = np.concatenate([self._rest_S, wave_S])
        whole = len(wave_S) // _FFT * _FFT
        self._rest_S = wave_S[whole:].copy()
        if whole:
            self._transform(wave_S[:whole])

    def _transform(self, wave_S: np.ndarray) -> None:
        spectra = np.fft.rfft(wave_S.reshape(-1, _FFT) * self._window, axis=1)
        self._power += (spectra.real**2 + spectra.imag**2).sum(axis=0)
        self._frames += len(spectra)

    def bands_db(self) -> np.ndarray:
        """Level of each band up to half the rate; white noise of variance v has 10 log10(v) in every band.

        It is the median over the bins of a band, so that a pure tone does not stand for the band. A sound shorter than
        a window is padded with zeros.
        """
        if not self._frames:
            self._transform(np.pad(self._rest_S, (0, _FFT - len(self._rest_S))))
        power = self._power / max(1, self._frames) / float((self._window**2).sum())
        level_db = 10 * np.log10(power + 1e-20)
        bins = self._bins_per_band
        bands = len(level_db) // bins
        return np.median(level_db[: bands * bins].reshape(bands, bins), axis=1).astype(np.float32)


def bandwidth_hz(bands_db: np.ndarray, band_hz: float, sample_rate: int) -> float:
    """The frequency at the foot of the steepest cliff, or half the rate without a cliff.

    A cliff is a fall of at least 25 dB across one band above which the level never recovers.
    """
    if len(bands_db) < 3:
        return sample_rate / 2
    above = np.maximum.accumulate(bands_db[::-1])[::-1]
    first = max(1, int(np.ceil(_LOWEST_EDGE_HZ / band_hz)))
    fall_db = bands_db[first - 1 : -2] - above[first + 1 :]
    if len(fall_db) == 0 or fall_db.max() < _CLIFF_DB:
        return sample_rate / 2
    return float((first + int(fall_db.argmax())) * band_hz)
