"""The edges of the mel bands: how far they move, and that a clip's draw is its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from audiosurvey.augmentation.band.band_jitter import BandJitter, BandJitterConfig, BandJitterDraw
from audiosurvey.augmentation.chain import Chain
from audiosurvey.augmentation.settings import AugmentationConfig
from audiosurvey.data.table import Clip
from audiosurvey.features.band_change import BandChange
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream

CLIPS = [Clip(f"{i}.wav", Path(f"{i}.wav"), (0,)) for i in range(6)]


def chain(p: float) -> Chain:
    config = AugmentationConfig(band_jitter=BandJitterConfig(p=p))
    return Chain(config, seed=0, sample_rate=16_000, train_clips=CLIPS, silence=0.0, bands=64)


def test_shifts_fill_their_ranges():
    jitter = BandJitter(BandJitterConfig(p=1.0, low_hz=10, high_hz=1000))
    drawn = np.array([(draw.low_hz, draw.high_hz) for i in range(500) if (draw := jitter.draw(stream(i)))])
    assert drawn.shape == (500, 2)
    assert 0 <= drawn[:, 0].min() < 0.2
    assert 9.8 < drawn[:, 0].max() <= 10
    assert -1000 <= drawn[:, 1].min() < -980
    assert 980 < drawn[:, 1].max() <= 1000


def test_off_it_gives_the_front_end_nothing_to_do():
    assert chain(0.0).band_change(CLIPS, 1).edge_shifts_B2 is None
    assert BandJitter(BandJitterConfig(p=0.5)).shifts([None, None]) is None


def test_a_clip_that_the_coin_spares_is_not_moved():
    shifts = BandJitter(BandJitterConfig(p=0.5)).shifts([None, BandJitterDraw(3.0, -20.0)])
    assert shifts is not None
    assert shifts.tolist() == [[0, 0], [3, -20]]


def test_a_clip_has_the_same_bands_alone_and_in_any_batch():
    one = chain(1.0)
    together, alone = one.band_change(CLIPS, 3).edge_shifts_B2, one.band_change([CLIPS[4]], 3).edge_shifts_B2
    assert together is not None
    assert alone is not None
    assert torch.equal(together[4:5], alone)
    assert len({tuple(row) for row in together.tolist()}) == len(CLIPS)
    later = one.band_change([CLIPS[4]], 4).edge_shifts_B2
    assert later is not None
    assert not torch.equal(alone, later)
    (said,) = one.describe(CLIPS[4], 3, samples=8000, frames=51, bands=64)
    assert said == {"operation": "band_jitter", "low_hz": alone[0, 0].item(), "high_hz": alone[0, 1].item()}


def test_a_tone_climbs_when_the_bands_end_lower():
    front_end = MelFrontEnd(MelConfig(n_mels=40, n_fft=1024), 16_000)
    tone = torch.sin(2 * torch.pi * 3000 * torch.arange(16_000) / 16_000)[None]
    band = [
        float((front_end.mel(tone, BandChange(torch.tensor([[0.0, high]]))).mean(1) * torch.arange(40)).sum())
        / float(front_end.mel(tone, BandChange(torch.tensor([[0.0, high]]))).mean(1).sum())
        for high in (0.0, -1000.0, -2000.0)
    ]
    assert band[0] < band[1] < band[2]


def test_wrong_settings():
    with pytest.raises(ValidationError):
        BandJitterConfig(p=0.5, low_hz=-1)
