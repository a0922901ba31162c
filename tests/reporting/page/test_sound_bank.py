"""Sounds within a budget."""

import base64
import io

import numpy as np
import pytest
import soundfile

from audiosurvey.reporting.page.sound_bank import LONG_S, PLAY_RATE, SHORT_S, SoundBank


def noise(seconds: float, rate: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def played(bank: SoundBank, place: int) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(base64.b64decode(bank.uris[place].split(",")[1])))


def test_a_sound_is_embedded_once():
    bank, reads = SoundBank(10**7), []
    for _ in range(3):
        found = bank.add("a", lambda: reads.append(1) or noise(1, 16_000), 16_000)
        assert found is not None
        assert found.number == 0
    assert len(reads) == len(bank.uris) == 1


@pytest.mark.parametrize("rate", [8_000, 16_000, 32_000, 44_100])
def test_long_sounds_are_cut_and_resampled(rate: int):
    bank = SoundBank(10**7)
    found = bank.add("a", lambda: noise(9, rate), rate)
    assert found is not None
    assert found.seconds == pytest.approx(LONG_S, abs=1e-3)
    wave_S, played_rate = played(bank, 0)
    assert played_rate == min(rate, PLAY_RATE)
    assert len(wave_S) / played_rate == pytest.approx(LONG_S, abs=0.2)


def test_the_budget_is_kept_and_told():
    bank = SoundBank(150_000)
    found = [bank.add(n, lambda: noise(6, 16_000), 16_000) for n in range(40)]
    there = [one for one in found if one is not None]
    assert bank.used <= 150_000
    assert there[0].seconds == LONG_S
    assert there[-1].seconds == SHORT_S
    assert found[-1] is None
    assert bank.note == (
        f"{bank.shortened} sounds are cut to 2 s and {40 - len(there)} sounds are left out, to keep this page small."
    )


def test_no_sounds_without_a_budget():
    bank = SoundBank(0)
    assert bank.add("a", lambda: pytest.fail("read"), 16_000) is None
    assert bank.note == ""
    assert SoundBank(1000).add("empty", lambda: np.empty(0, np.float32), 16_000) is None


def test_after_the_first_sound_that_does_not_fit_none_is_read():
    bank = SoundBank(20_000)
    assert bank.add(0, lambda: noise(1, 16_000), 16_000) is not None
    assert bank.add(1, lambda: noise(9, 16_000), 16_000) is None
    assert bank.note == "1 sound is left out, to keep this page small."
    assert bank.add(2, lambda: pytest.fail("read"), 16_000) is None
    assert bank.note == "2 sounds are left out, to keep this page small."
