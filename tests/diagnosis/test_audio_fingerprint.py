"""Soundprints: copies of one sound are near, strangers are not."""

from collections.abc import Callable

import numpy as np
import pytest
from sound_copies import COPIES, RATE, low

from audiosurvey.diagnosis.audio_fingerprint import LONGEST_S, PRINT_RATE, agreement, audio_fingerprint
from audiosurvey.diagnosis.duplicates import SHORT_AGREEMENT_LEAST
from audiosurvey.diagnosis.likely_pairs import likely_pairs
from audiosurvey.diagnosis.waveform_match import match

Sound = Callable[..., np.ndarray]


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_known(copy: str, sound: Sound) -> None:
    strangers = [sound(seed, 3.0) for seed in range(30)]
    waves = [*map(low, strangers), COPIES[copy](strangers[7])]
    prints = list(map(audio_fingerprint, waves))
    assert (7, 30) in likely_pairs(prints, SHORT_AGREEMENT_LEAST)
    assert agreement(prints[7], prints[30]) > 0.5
    assert match(waves[7], waves[30]).white > 0.4
    assert match(waves[7], waves[30]).same_recording
    assert max(agreement(prints[one], prints[other]) for one in range(6) for other in range(one)) < 0.2
    assert max(match(waves[one], waves[other]).white for one in range(6) for other in range(one)) < 0.15


def test_the_shift_has_its_sign_and_size(sound: Sound) -> None:
    wave = low(sound(1, 3.0))
    late = np.pad(wave, (1000, 0))
    assert match(late, wave).shift_s == pytest.approx(0.125)
    assert match(wave, late).shift_s == pytest.approx(-0.125)
    same = match(wave, wave)
    assert (same.white, same.plain, same.shift_s) == (pytest.approx(1.0, abs=1e-6), pytest.approx(1.0, abs=1e-6), 0.0)


def test_a_gain_changes_nothing(sound: Sound) -> None:
    wave = low(sound(2, 3.0))
    assert np.abs(audio_fingerprint(wave).change_TF.astype(int) - audio_fingerprint(0.1 * wave).change_TF).max() <= 1


def test_a_hum_that_both_have_is_no_likeness(sound: Sound) -> None:
    hum = 0.4 * np.sin(2 * np.pi * 240 * np.arange(48_000) / RATE)
    one, other = (low(0.5 * sound(seed, 3.0) + hum) for seed in (1, 2))
    assert agreement(audio_fingerprint(one), audio_fingerprint(other)) < 0.2
    assert match(one, other).white < 0.15
    assert not match(one, other).same_recording


@pytest.mark.parametrize("wave", [np.zeros(1), np.zeros(20_000), np.ones(3)], ids=str)
def test_what_holds_nothing_is_like_nothing(wave: np.ndarray) -> None:
    empty = audio_fingerprint(wave.astype(np.float32))
    assert not empty.outline.any()
    assert agreement(empty, empty) == 0.0
    assert likely_pairs([empty, empty], 0.36) == []
    assert likely_pairs([empty], 0.36) == likely_pairs([], 0.36) == []


def test_what_follows_ten_seconds_has_no_part(sound: Sound) -> None:
    wave = low(sound(3, 14.0))
    begin = audio_fingerprint(wave[: round(LONGEST_S * PRINT_RATE)])
    assert np.array_equal(audio_fingerprint(wave).change_TF, begin.change_TF)
    assert agreement(begin, audio_fingerprint(wave)) == pytest.approx(1.0)
