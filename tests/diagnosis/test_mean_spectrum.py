"""Where sounds end: cliffs are found, slopes are none."""

import numpy as np
import pytest
import soxr

from audiosurvey.diagnosis.mean_spectrum import MeanSpectrum, bandwidth_hz

RATE = 32_000
NOISE = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32) * 0.1


def ends_at(wave: np.ndarray, rate: int = RATE) -> float:
    spectrum = MeanSpectrum(rate)
    for piece in np.array_split(wave, 3):
        spectrum.add(piece.astype(np.float32))
    return bandwidth_hz(spectrum.bands_db(), spectrum.band_hz, rate)


def test_white_noise_has_its_variance_in_every_band() -> None:
    spectrum = MeanSpectrum(RATE)
    spectrum.add(NOISE)
    bands = spectrum.bands_db()
    # A bin is the mean of 93 exponentials and so within half a dB (4.34 / sqrt(93)); a band's median is closer.
    assert np.allclose(bands, -20, atol=1.0)
    assert float(bands.mean()) == pytest.approx(-20, abs=0.1)
    assert spectrum.band_hz * len(bands) == pytest.approx(RATE / 2, rel=0.02)


def test_whole_noise_reaches_half_the_rate() -> None:
    assert ends_at(NOISE) == RATE / 2


@pytest.mark.parametrize("low", [8000, 11_025, 16_000, 22_050])
def test_what_was_resampled_from_a_lower_rate_ends_there(low: int) -> None:
    wave = soxr.resample(soxr.resample(NOISE, RATE, low), low, RATE)
    assert ends_at(wave) == pytest.approx(low / 2, abs=600)


def test_a_slope_is_no_cliff() -> None:
    spectrum = np.fft.rfft(NOISE)
    hertz = np.fft.rfftfreq(len(NOISE), 1 / RATE)
    assert ends_at(np.fft.irfft(spectrum * np.minimum(1, 500 / np.maximum(hertz, 1)) ** 2)) == RATE / 2


def test_a_tone_is_no_cliff() -> None:
    tone = np.sin(2 * np.pi * 3000 * np.arange(len(NOISE)) / RATE)
    assert ends_at(tone + 0.001 * NOISE) == RATE / 2


def test_a_sound_of_a_few_samples_or_a_low_rate_has_no_edge() -> None:
    assert ends_at(NOISE[:10]) == RATE / 2
    assert ends_at(NOISE, 300) == 150
