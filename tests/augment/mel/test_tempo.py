"""Tempo: frames read by hand, beats that come as much sooner, and a loop that closes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augment.extent import Extent, sounding
from audiosurvey.augment.mel.tempo import Tempo, TempoConfig, TempoDraw
from audiosurvey.randomness import stream


def read(mel_BCTF: torch.Tensor, *tempi: float) -> torch.Tensor:
    return Tempo(TempoConfig(p=1)).apply(mel_BCTF, [TempoDraw(tempo) for tempo in tempi])


def test_frames_by_hand() -> None:
    mel_BCTF = torch.tensor([0.0, 10.0, 20.0, 30.0]).reshape(1, 1, 4, 1).repeat(2, 1, 1, 2)
    slow, fast = read(mel_BCTF, 0.5, 1.5)[:, 0, :, 1].tolist()
    assert slow == [0, 5, 10, 15]
    # 4.5 frames on, the window has begun again: between its first frame and its second.
    assert fast == [0, 15, 30, 5]


def test_beats_come_as_much_sooner_and_stand_in_the_same_bands() -> None:
    mel_BCTF = torch.zeros(1, 1, 300, 8)
    mel_BCTF[:, :, 0:300:30, 3] = 1
    beats = (read(mel_BCTF, 1.2)[0, 0] > 0.4).nonzero()
    assert beats[:, 0].tolist()[:10] == list(range(0, 250, 25))
    assert set(beats[:, 1].tolist()) == {3}


@given(tempo=st.floats(0.25, 4), frames=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_values_stay_between_those_there_were(tempo: float, frames: int, seed: int) -> None:
    mel_BCTF = torch.from_numpy(stream(seed).standard_normal((1, 1, frames, 3), dtype=np.float32))
    found = read(mel_BCTF, tempo)
    assert found.shape == mel_BCTF.shape
    assert torch.equal(found[:, :, 0], mel_BCTF[:, :, 0])
    assert bool((found <= mel_BCTF.amax(2, keepdim=True) + 1e-6).all())
    assert bool((found >= mel_BCTF.amin(2, keepdim=True) - 1e-6).all())


def test_a_tempo_of_one_changes_no_bit_and_each_clip_has_its_own() -> None:
    mel_BCTF = torch.from_numpy(stream("mel").standard_normal((3, 1, 50, 4), dtype=np.float32))
    together = read(mel_BCTF, 0.9, 1.0, 1.1)
    assert torch.equal(together[1], mel_BCTF[1])
    for row, tempo in enumerate((0.9, 1.0, 1.1)):
        assert torch.equal(together[row : row + 1], read(mel_BCTF[row : row + 1], tempo))


def test_tempi_are_even_in_octaves_and_the_coin_spares_some() -> None:
    tempo = Tempo(TempoConfig(p=0.5, min=0.5, max=2))
    drawn = [tempo.draw(stream(i), 50, 8) for i in range(2000)]
    octaves = np.log2([draw.tempo for draw in drawn if draw])
    assert len(octaves) == pytest.approx(1000, abs=100)
    assert -1 <= octaves.min() < -0.98
    assert 0.98 < octaves.max() <= 1
    assert abs(octaves.mean()) < 0.08


@given(tempo=st.floats(0.5, 2), first=st.integers(0, 39), length=st.integers(1, 40))
def test_where_a_clip_is_told_to_sound_it_sounds(tempo: float, first: int, length: int) -> None:
    before = Extent(first, length, 40)
    mel_BCTF = sounding([before], torch.device("cpu")).float().reshape(1, 1, 40, 1)
    after = Tempo(TempoConfig(p=1)).extent_after(TempoDraw(tempo), before)
    assert bool((read(mel_BCTF, tempo)[0, 0, :, 0] > 0)[sounding([after], mel_BCTF.device)[0]][1:-1].all())
    assert after.length >= min(40.0, (first + length) / tempo) - first / tempo - 1


@pytest.mark.parametrize("wrong", [{"min": 0}, {"max": 5}, {"p": -1}])
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        TempoConfig.model_validate({"p": 0.5} | wrong)
