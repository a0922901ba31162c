"""Pitch: the draws, and what they do to bands, by hand and beside the sound itself at another pitch."""

import numpy as np
import pytest
import torch
from band_chain import CLIPS, band_chain, check_draws, drawn
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augment.band.operation import spectrogram
from audiosurvey.augment.band.pitch import Pitch, PitchConfig, PitchDraw, transposition
from audiosurvey.features.filters import MelScale
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream

RATE = 16_000


def shown(front_end: MelFrontEnd, wave_BS: torch.Tensor, *factors: float | None) -> torch.Tensor:
    """Spectrograms of clips at these pitches."""
    draws = [None if factor is None else PitchDraw(factor) for factor in factors]
    return spectrogram(front_end, wave_BS, [(Pitch(PitchConfig(p=1)), draws)])


@pytest.mark.parametrize("bounds", [(0.5, 2.0), (2.0, 0.5)])
def test_factors_are_even_in_octaves(bounds: tuple[float, float]) -> None:
    pitch = Pitch(PitchConfig(p=1, min=bounds[0], max=bounds[1]))
    octaves = np.log2([draw.pitch for i in range(2000) if (draw := pitch.draw(stream(i)))])
    assert len(octaves) == 2000
    assert -1 <= octaves.min() < -0.99
    assert 0.99 < octaves.max() <= 1
    assert abs(octaves.mean()) < 0.05
    assert octaves.std() == pytest.approx(2 / 12**0.5, rel=0.05)


def test_a_clip_that_is_not_selected_stays() -> None:
    front_end = MelFrontEnd(MelConfig(n_mels=40), RATE)
    wave_BS = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    found, plain = shown(front_end, wave_BS, None, 1.1), front_end(wave_BS)
    assert torch.equal(found[0], plain[0])
    assert not torch.equal(found[1], plain[1])
    assert torch.equal(shown(front_end, wave_BS, None, None), plain)
    assert drawn(band_chain("pitch", 0.0), CLIPS, 1).bands == ()


def test_a_clip_has_the_same_pitch_alone_and_in_any_batch() -> None:
    draw, said = check_draws(band_chain("pitch", 1.0))
    assert said == {"operation": "pitch", "pitch": draw.pitch}


@pytest.mark.parametrize("wrong", [{"min": 0}, {"max": 5}, {"p": 2}])
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PitchConfig.model_validate({"p": 0.5} | wrong)


def test_by_hand_where_the_scale_is_a_straight_line() -> None:
    # Slaney's scale up to 1 kHz: centres at 200, 400, 600 and 800 Hz. An octave up, the band at 600 Hz holds what was
    # at 300, half of each neighbour; that at 200 would hold what was at 100, and the lowest there is stands for it.
    (up_FF,) = transposition(torch.tensor([2.0]), (0.0, 1000.0), 4, "slaney")
    bands_F = torch.tensor([1.0, 10.0, 100.0, 1000.0])
    torch.testing.assert_close(bands_F @ up_FF, torch.tensor([1.0, 1.0, 5.5, 10.0]))
    (down_FF,) = transposition(torch.tensor([0.5]), (0.0, 1000.0), 4, "slaney")
    torch.testing.assert_close(bands_F @ down_FF, torch.tensor([10.0, 1000.0, 1000.0, 1000.0]))


@given(
    pitch=st.floats(0.25, 4),
    scale=st.sampled_from(["htk", "slaney", "kaldi"]),
    bands=st.integers(1, 200),
    low=st.floats(0, 2000),
    width=st.floats(50, 6000),
)
def test_each_band_is_a_mean_of_two_neighbours(
    pitch: float, scale: MelScale, bands: int, low: float, width: float
) -> None:
    (weight_FF,) = transposition(torch.tensor([pitch]), (low, low + width), bands, scale)
    torch.testing.assert_close(weight_FF.sum(0), torch.ones(bands))
    assert weight_FF.min() >= 0
    assert int((weight_FF > 0).sum(0).max()) <= 2


@pytest.mark.parametrize("scale", ["htk", "slaney", "kaldi"])
def test_a_pitch_of_one_changes_no_bit(scale: MelScale) -> None:
    config = MelConfig(n_mels=64, f_min=40, f_max=8000, mel_scale=scale, compression="db")
    front_end = MelFrontEnd(config, RATE)
    wave_BS = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shown(front_end, wave_BS, 1.0, 1.0), front_end(wave_BS))


@pytest.mark.parametrize("scale", ["htk", "slaney", "kaldi"])
@pytest.mark.parametrize("pitch", [0.8, 0.9, 1.1, 1.25])
def test_a_tone_stands_where_the_higher_or_lower_tone_stands(scale: MelScale, pitch: float) -> None:
    front_end = MelFrontEnd(MelConfig(n_mels=64, f_min=40, f_max=8000, mel_scale=scale), RATE)
    seconds = torch.arange(RATE) / RATE
    for hertz in (400, 1000, 2500, 5000):
        tone, asked = (torch.sin(2 * torch.pi * f * seconds)[None] for f in (hertz, pitch * hertz))
        found = Pitch(PitchConfig(p=1)).change(front_end.mel(tone), [PitchDraw(pitch)], front_end)
        assert _centre(found) == pytest.approx(_centre(front_end.mel(asked)), abs=0.5)


def test_each_clip_has_its_own() -> None:
    front_end = MelFrontEnd(MelConfig(n_mels=40, f_max=8000), RATE)
    wave_BS = torch.randn(3, RATE, generator=torch.Generator().manual_seed(0))
    factors = (0.9, None, 1.2)
    together = shown(front_end, wave_BS, *factors)
    for row in range(3):
        alone = shown(front_end, wave_BS[row : row + 1], factors[row])
        torch.testing.assert_close(together[row : row + 1], alone)


def _centre(mel_BTF: torch.Tensor) -> float:
    """The mean band, by power, away from the edges in time."""
    power_F = mel_BTF[0, 5:-5].mean(0)
    return float((power_F * torch.arange(len(power_F))).sum() / power_F.sum())
