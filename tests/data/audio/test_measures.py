"""Measures of sounds, by what physics says of them."""

import numpy as np
import pytest
import soxr

from audiosurvey.data.audio.measures import Measures, measure, median

RATE = 16000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def resampled(wave: np.ndarray, low: int) -> np.ndarray:
    return soxr.resample(soxr.resample(wave, RATE, low), low, RATE).astype(np.float32)


def test_a_tone_of_full_scale_has_minus_three_decibels():
    assert measure(tone(1000, 1), RATE).level_db == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize("gain_db", [-60, -20, 12])
def test_a_gain_moves_the_level_by_itself_and_nothing_else(gain_db):
    wave = noise(2) * np.linspace(0.01, 1, 2 * RATE, dtype=np.float32)
    plain, changed = measure(wave, RATE), measure(wave * np.float32(10 ** (gain_db / 20)), RATE)
    assert plain.level_db is not None
    assert changed.level_db == pytest.approx(plain.level_db + gain_db, abs=1e-3)
    assert changed.bandwidth_hz == plain.bandwidth_hz
    assert changed.snr_db == pytest.approx(plain.snr_db, abs=1e-3)


def test_pauses_and_dc_change_neither_level_nor_bandwidth():
    wave = noise(1)
    plain = measure(wave, RATE)
    paused = measure(np.concatenate([np.zeros(3 * RATE, np.float32), wave, np.zeros(RATE, np.float32)]), RATE)
    assert paused.level_db == pytest.approx(plain.level_db, abs=0.2)
    assert paused.bandwidth_hz == plain.bandwidth_hz
    assert paused.snr_db == pytest.approx(plain.snr_db, abs=1)
    assert measure(wave + np.float32(0.5), RATE).level_db == pytest.approx(plain.level_db, abs=0.01)


@pytest.mark.parametrize("low", [2000, 4000, 8000])
def test_a_sound_once_sampled_low_reaches_half_that_rate(low):
    wave = noise(2)
    assert measure(wave, RATE).bandwidth_hz == pytest.approx(RATE / 2, rel=0.01)
    assert measure(resampled(wave, low), RATE).bandwidth_hz == pytest.approx(low / 2, rel=0.04)


@pytest.mark.parametrize("rate", [16000, 32000, 44100, 48000])
def test_telephone_sound_is_seen_at_every_rate_of_a_model(rate):
    wave = soxr.resample(noise(2)[: 2 * 8000], 8000, rate).astype(np.float32)
    assert measure(wave, rate).bandwidth_hz == pytest.approx(3900, abs=100)


def test_a_loud_tone_does_not_widen_the_bandwidth():
    assert measure(tone(1000, 1), RATE).bandwidth_hz == pytest.approx(1000, abs=160)


@pytest.mark.parametrize("snr_db", [10, 20, 40])
def test_noise_below_a_sound_with_gaps_is_estimated(snr_db):
    on = (np.arange(5 * RATE) // (RATE // 2) % 2).astype(np.float32)
    wave = np.float32(0.3) * tone(440, 5) * on
    background = noise(5) / noise(5).std() * np.float32(0.3 / np.sqrt(2) * 10 ** (-snr_db / 20))
    assert measure(wave + background, RATE).snr_db == pytest.approx(snr_db, abs=1.5)


def test_a_steady_sound_shows_a_few_decibels():
    assert measure(noise(5), RATE).snr_db == pytest.approx(1.5, abs=1.5)


@pytest.mark.parametrize("wave", [np.zeros(RATE), np.full(RATE, 0.1), np.full(1, 0.5), 1e-9 * np.ones(RATE)])
def test_silence_has_no_figures(wave):
    assert measure(wave.astype(np.float32), RATE) == Measures(len(wave) / RATE, None, None, None)


def test_a_sound_shorter_than_a_frame_has_a_level_of_its_own_samples():
    found = measure(tone(1000, 0.016), RATE)
    assert found.level_db == pytest.approx(-3.01, abs=0.05)
    assert (found.seconds, found.snr_db) == (0.016, None)


def test_the_median_of_windows_is_silent_where_most_are():
    silent, soft, loud = Measures(1, None, None, None), Measures(1, -40, 4000, None), Measures(1, -20, 8000, 20)
    assert median([soft]) is soft
    assert median([silent, silent, loud]).level_db is None
    assert median([silent, soft, loud]) == Measures(1, -40, 6000, 20)
