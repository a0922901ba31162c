"""Bands of the same sound at another pitch: by hand, and beside the sound itself played higher or lower."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.features.band_change import BandChange
from audiosurvey.features.filters import MelScale
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.features.transposition import transposition

RATE = 16_000


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
    assert torch.equal(front_end(wave_BS, BandChange(pitch_B=torch.ones(2))), front_end(wave_BS))


@pytest.mark.parametrize("scale", ["htk", "slaney", "kaldi"])
@pytest.mark.parametrize("pitch", [0.8, 0.9, 1.1, 1.25])
def test_a_tone_stands_where_the_higher_or_lower_tone_stands(scale: MelScale, pitch: float) -> None:
    front_end = MelFrontEnd(MelConfig(n_mels=64, f_min=40, f_max=8000, mel_scale=scale), RATE)
    seconds = torch.arange(RATE) / RATE
    for hertz in (400, 1000, 2500, 5000):
        tone, asked = (torch.sin(2 * torch.pi * f * seconds)[None] for f in (hertz, pitch * hertz))
        found = front_end.mel(tone, BandChange(pitch_B=torch.tensor([pitch])))
        assert _centre(found) == pytest.approx(_centre(front_end.mel(asked)), abs=0.5)


def test_each_clip_has_its_own() -> None:
    front_end = MelFrontEnd(MelConfig(n_mels=40, f_max=8000), RATE)
    wave_BS = torch.randn(3, RATE, generator=torch.Generator().manual_seed(0))
    pitch_B = torch.tensor([0.9, 1.0, 1.2])
    together = front_end(wave_BS, BandChange(pitch_B=pitch_B))
    for row in range(3):
        alone = front_end(wave_BS[row : row + 1], BandChange(pitch_B=pitch_B[row : row + 1]))
        torch.testing.assert_close(together[row : row + 1], alone)


def _centre(mel_BTF: torch.Tensor) -> float:
    """The mean band, by power, away from the edges in time."""
    power_F = mel_BTF[0, 5:-5].mean(0)
    return float((power_F * torch.arange(len(power_F))).sum() / power_F.sum())
