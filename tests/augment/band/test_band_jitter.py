"""The edges of the mel bands: how far they move, and that a clip's draw is its own."""

import numpy as np
import pytest
import torch
from band_chain import CLIPS, band_chain, check_draws, drawn
from pydantic import ValidationError

from audiosurvey.augment.band.band_jitter import BandJitter, BandJitterConfig, BandJitterDraw
from audiosurvey.augment.band.operation import spectrogram
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream


def test_shifts_fill_their_ranges():
    jitter = BandJitter(BandJitterConfig(p=1.0, low_hz=10, high_hz=1000))
    drawn = np.array([(draw.low_hz, draw.high_hz) for i in range(500) if (draw := jitter.draw(stream(i)))])
    assert drawn.shape == (500, 2)
    assert 0 <= drawn[:, 0].min() < 0.2
    assert 9.8 < drawn[:, 0].max() <= 10
    assert -1000 <= drawn[:, 1].min() < -980
    assert 980 < drawn[:, 1].max() <= 1000


def test_off_it_draws_nothing():
    assert drawn(band_chain("band_jitter", 0.0), CLIPS, 1).bands == ()


def test_without_draws_the_bands_are_those_of_the_front_end():
    front_end = MelFrontEnd(MelConfig(n_mels=40, n_fft=1024), 16_000)
    wave_BS = torch.randn(2, 8000)
    shown = spectrogram(front_end, wave_BS, [(BandJitter(BandJitterConfig(p=0.5)), [None, None])])
    assert torch.equal(shown, front_end(wave_BS))


def test_a_clip_that_is_not_selected_keeps_its_filters():
    front_end = MelFrontEnd(MelConfig(n_mels=40, n_fft=1024, f_min=50), 16_000)
    banks = BandJitter(BandJitterConfig(p=0.5)).filters([None, BandJitterDraw(3.0, -20.0)], front_end)
    assert torch.equal(banks[0], front_end.bank)
    moved = front_end.config.filters_between(torch.tensor([[53.0, 7980.0]], dtype=torch.float64), 16_000)
    assert torch.equal(banks[1], moved[0])


def test_a_clip_has_the_same_bands_alone_and_in_any_batch():
    draw, said = check_draws(band_chain("band_jitter", 1.0))
    assert said == {"operation": "band_jitter", "low_hz": draw.low_hz, "high_hz": draw.high_hz}


def test_a_tone_climbs_when_the_bands_end_lower():
    front_end = MelFrontEnd(MelConfig(n_mels=40, n_fft=1024), 16_000)
    tone = torch.sin(2 * torch.pi * 3000 * torch.arange(16_000) / 16_000)[None]
    jitter = BandJitter(BandJitterConfig(p=1))
    mels = [
        front_end.power(tone) @ jitter.filters([BandJitterDraw(0.0, high)], front_end)
        for high in (0.0, -1000.0, -2000.0)
    ]
    band = [float((mel.mean(1) * torch.arange(40)).sum()) / float(mel.mean(1).sum()) for mel in mels]
    assert band[0] < band[1] < band[2]


def test_wrong_settings():
    with pytest.raises(ValidationError):
        BandJitterConfig(p=0.5, low_hz=-1)
