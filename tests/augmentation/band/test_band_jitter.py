"""The edges of the mel bands: how far they move, and that a clip's draw is its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from audiosurvey.augmentation.band.band_jitter import BandJitter, BandJitterConfig, BandJitterDraw
from audiosurvey.augmentation.band.operation import spectrogram
from audiosurvey.augmentation.chain import Chain
from audiosurvey.augmentation.draws import ClipDraws
from audiosurvey.augmentation.settings import AugmentationConfig
from audiosurvey.augmentation.wave.shorten import ShortenConfig
from audiosurvey.data.table import Clip
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream

CLIPS = [Clip(f"{i}.wav", Path(f"{i}.wav"), (0,)) for i in range(6)]


def chain(p: float) -> Chain:
    config = AugmentationConfig(shorten=ShortenConfig(p=0), band_jitter=BandJitterConfig(p=p))
    front_end = MelFrontEnd(MelConfig(n_mels=64), 16_000)
    return Chain(config, seed=0, sample_rate=16_000, train_clips=CLIPS, front_end=front_end)


def drawn(made: Chain, clips: list[Clip], epoch: int) -> ClipDraws:
    return made.draw(clips, epoch, samples=8000, valid_of=lambda clip: 8000).clips


def test_shifts_fill_their_ranges():
    jitter = BandJitter(BandJitterConfig(p=1.0, low_hz=10, high_hz=1000))
    drawn = np.array([(draw.low_hz, draw.high_hz) for i in range(500) if (draw := jitter.draw(stream(i)))])
    assert drawn.shape == (500, 2)
    assert 0 <= drawn[:, 0].min() < 0.2
    assert 9.8 < drawn[:, 0].max() <= 10
    assert -1000 <= drawn[:, 1].min() < -980
    assert 980 < drawn[:, 1].max() <= 1000


def test_off_it_draws_nothing():
    assert drawn(chain(0.0), CLIPS, 1).bands == ()


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
    one = chain(1.0)
    (together,), (alone,), (later,) = (
        drawn(one, clips, epoch).bands for clips, epoch in ((CLIPS, 3), ([CLIPS[4]], 3), ([CLIPS[4]], 4))
    )
    assert together.draws[4] == alone.draws[0]
    assert len(set(together.draws)) == len(CLIPS)
    assert alone.draws != later.draws
    (said,) = one.describe(one.draw([CLIPS[4]], 3, samples=8000, valid_of=lambda clip: 8000), 0)
    assert said == {"operation": "band_jitter", "low_hz": alone.draws[0].low_hz, "high_hz": alone.draws[0].high_hz}


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
