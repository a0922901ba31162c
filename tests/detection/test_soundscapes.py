"""Soundscapes: levels, places and silence of the sounds, and the spectrum of the noise."""

import numpy as np
import pytest

from audiosurvey.detection.soundscapes import SPREAD_DB, coloured, mix, sounding_rms, trimmed

RATE = 8000


def sine(seconds: float, hz: float = 440.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


def test_sounds_lie_apart_and_are_around_the_level():
    sounds = [sine(1.0), sine(0.5), sine(2.0)]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        wave_S, placed = mix(rng, np.zeros(8 * RATE, np.float32), sounds, RATE, 0.03)
        assert sorted(one.number for one in placed) == [0, 1, 2]
        assert [one.start for one in placed] == sorted(one.start for one in placed)
        ends = [0, *(one.start + one.samples for one in placed)]
        starts = [*(one.start for one in placed), len(wave_S)]
        assert all(start - end >= 0.1 * RATE for end, start in zip(ends, starts, strict=True))
        for one in placed:
            assert one.samples == len(sounds[one.number])
            part_S = wave_S[one.start : one.start + one.samples]
            assert abs(20 * np.log10(part_S.std() / 0.03)) <= SPREAD_DB + 0.01
        silent = np.ones(len(wave_S), bool)
        for one in placed:
            silent[one.start : one.start + one.samples] = False
        assert not wave_S[silent].any()


def test_the_background_stays_as_it_is():
    background_S = coloured(np.random.default_rng(0), 4 * RATE, 1)
    wave_S, (one,) = mix(np.random.default_rng(1), background_S, [sine(1.0)], RATE, 0.03)
    added_S = wave_S - background_S
    gain = added_S.std() / sine(1.0).std() * np.sqrt(len(added_S) / one.samples)
    np.testing.assert_allclose(added_S[one.start : one.start + one.samples], gain * sine(1.0), atol=1e-5)


def test_sounds_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        mix(np.random.default_rng(0), np.zeros(RATE, np.float32), [sine(0.9)], RATE, 0.03)


@pytest.mark.parametrize(("slope", "db_an_octave"), [(0, 0), (1, -3.01), (2, -6.02)])
def test_the_slope_of_the_noise(slope, db_an_octave):
    wave_S = coloured(np.random.default_rng(0), 2**18, slope)
    assert wave_S.std() == pytest.approx(1, abs=1e-3)
    power = np.abs(np.fft.rfft(wave_S)) ** 2
    octaves = [np.log2(power[first : 2 * first].mean()) for first in (2**10, 2**12, 2**14)]
    assert np.diff(octaves) / 2 * 10 * np.log10(2) == pytest.approx([db_an_octave] * 2, abs=0.3)


def test_silence_at_the_ends_is_cut_and_does_not_count():
    wave_S = np.concatenate([np.zeros(500), sine(0.5), np.zeros(3000), sine(0.5), 1e-4 * sine(0.5)])
    cut_S = trimmed(wave_S)
    assert len(cut_S) == pytest.approx(2 * 0.5 * RATE + 3000, abs=20)
    assert sounding_rms(cut_S) == pytest.approx(np.sqrt(0.5), rel=0.1)
    assert len(trimmed(np.zeros(100))) == 0
