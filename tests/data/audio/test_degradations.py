"""Changed recordings, by what physics says of them; the same as the definition of the table for clips of 5 s."""

import numpy as np
import pytest
import soxr

from audiosurvey.data.audio.degradations import conditions
from audiosurvey.data.audio.measures import measure

RATE = 16000


def clip(seconds: float = 5) -> np.ndarray:
    return 0.1 * np.random.default_rng(3).standard_normal(round(seconds * RATE)).astype(np.float32)


def changed(name: str, wave: np.ndarray, seed: int = 0) -> np.ndarray:
    (condition,) = [one for one in conditions(RATE) if one.name == name]
    return condition.change(wave, np.random.default_rng(seed))


def test_all_of_them_in_order():
    assert [one.name for one in conditions(RATE)] == [
        "as they are",
        "20 dB softer",
        "40 dB softer",
        "12 dB louder, clipped",
        "sampled at 8 kHz",
        "sampled at 4 kHz",
        "first 90 %",
        "first 50 %",
        "first 20 %",
        "white noise 20 dB below",
        "white noise 10 dB below",
        "20 % of silence first",
        "DC 0.1",
        "inverted",
        "twice",
    ]


def test_band_limits_at_or_above_the_rate_are_left_out():
    assert "sampled at 8 kHz" not in [one.name for one in conditions(8000)]
    assert "sampled at 4 kHz" in [one.name for one in conditions(8000)]


def test_those_without_chance_equal_their_definition_for_clips_of_five_seconds():
    wave = clip()
    low = {rate: soxr.resample(soxr.resample(wave, RATE, rate), rate, RATE) for rate in (8000, 4000)}
    expected = {
        "as they are": wave,
        "20 dB softer": wave * 0.1,
        "40 dB softer": wave * 0.01,
        "12 dB louder, clipped": np.clip(wave * 4, -1, 1),
        "sampled at 8 kHz": low[8000].astype("float32")[: len(wave)],
        "sampled at 4 kHz": low[4000].astype("float32")[: len(wave)],
        "first 90 %": wave[: int(4.5 * RATE)],
        "first 50 %": wave[: int(2.5 * RATE)],
        "first 20 %": wave[:RATE],
        "20 % of silence first": np.concatenate([np.zeros(RATE, "float32"), wave[:-RATE]]),
        "DC 0.1": wave + np.float32(0.1),
        "inverted": -wave,
        "twice": np.concatenate([wave, wave]),
    }
    for name, wanted in expected.items():
        np.testing.assert_allclose(changed(name, wave), wanted, rtol=1e-6, err_msg=name)
    assert len(expected) == len(conditions(RATE)) - 2


@pytest.mark.parametrize("snr_db", [10, 20])
def test_noise_lies_so_far_below(snr_db):
    wave = clip()
    noise = changed(f"white noise {snr_db} dB below", wave) - wave
    assert 10 * np.log10(np.mean(wave**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)
    assert (changed(f"white noise {snr_db} dB below", wave, seed=1) - wave != noise).any()


def test_the_changes_show_in_the_measures():
    plain, soft = (measure(wave, RATE).level_db for wave in (clip(), changed("20 dB softer", clip())))
    assert plain is not None
    assert soft == pytest.approx(plain - 20, abs=1e-3)
    assert measure(changed("sampled at 4 kHz", clip()), RATE).bandwidth_hz == pytest.approx(2000, rel=0.03)
    assert measure(changed("first 20 %", clip()), RATE).seconds == 1


def test_nothing_is_changed_in_place_and_lengths_are_kept():
    wave = clip(0.01)
    before = wave.copy()
    for condition in conditions(RATE):
        given = condition.change(wave, np.random.default_rng(0))
        assert given.dtype == np.float32
        if not condition.name.startswith("first") and condition.name != "twice":
            assert len(given) == len(wave)
    np.testing.assert_array_equal(wave, before)


def test_a_clip_of_one_sample_keeps_one():
    for condition in conditions(RATE):
        assert len(condition.change(np.ones(1, np.float32), np.random.default_rng(0))) >= 1
