"""A curve over the bands: where it runs, what it does to levels, and that a clip's draw is its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augmentation.band.filter_augment import FilterAugment, FilterAugmentConfig, FilterAugmentDraw
from audiosurvey.augmentation.chain import Chain
from audiosurvey.augmentation.settings import AugmentationConfig
from audiosurvey.data.table import Clip
from audiosurvey.features.band_change import BandChange
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream

CLIPS = [Clip(f"{i}.wav", Path(f"{i}.wav"), (0,)) for i in range(6)]
FIXED = FilterAugmentDraw((0.0, 0.5, 1.0), (-6.0, 0.0, 3.0))


def chain(p: float) -> Chain:
    config = AugmentationConfig(filter_augment=FilterAugmentConfig(p=p))
    return Chain(config, seed=0, sample_rate=16_000, train_clips=CLIPS, silence=0.0, bands=5)


def test_straight_lines_between_the_points_by_hand():
    gains = FilterAugment(FilterAugmentConfig(p=1)).gains([FIXED, None], 5)
    assert gains is not None
    assert gains.tolist() == [[-6, -3, 0, 1.5, 3], [0, 0, 0, 0, 0]]


@given(
    low=st.floats(-20, 20),
    width=st.floats(0, 20),
    fewest=st.integers(2, 6),
    more=st.integers(0, 4),
    bands=st.integers(1, 200),
    seed=st.integers(0, 2**32),
)
def test_a_curve_stays_between_its_bounds(low, width, fewest, more, bands, seed):
    config = FilterAugmentConfig(p=1, min_db=low, max_db=low + width, min_points=fewest, max_points=fewest + more)
    operation = FilterAugment(config)
    draw = operation.draw(stream(seed))
    assert draw is not None
    assert fewest <= len(draw.places) == len(draw.gains_db) <= fewest + more
    assert (draw.places[0], draw.places[-1]) == (0, 1)
    assert list(draw.places) == sorted(draw.places)
    gains = operation.gains([draw], bands)
    assert gains is not None
    assert gains.shape == (1, bands)
    assert low - 1e-4 <= gains.min() <= gains.max() <= low + width + 1e-4


def test_all_counts_and_gains_are_drawn():
    operation = FilterAugment(FilterAugmentConfig(p=1, min_points=3, max_points=6))
    draws = [draw for i in range(500) if (draw := operation.draw(stream(i)))]
    assert {len(draw.places) for draw in draws} == {3, 4, 5, 6}
    gains = np.concatenate([draw.gains_db for draw in draws])
    assert -6 <= gains.min() < -5.9
    assert 5.9 < gains.max() <= 6


def test_off_it_gives_the_front_end_nothing_to_do():
    assert chain(0.0).band_change(CLIPS, 1).gain_db_BF is None
    assert FilterAugment(FilterAugmentConfig(p=0.5)).gains([None, None], 64) is None


def test_a_clip_has_the_same_curve_alone_and_in_any_batch():
    one = chain(1.0)
    together, alone = one.band_change(CLIPS, 3).gain_db_BF, one.band_change([CLIPS[4]], 3).gain_db_BF
    later = one.band_change([CLIPS[4]], 4).gain_db_BF
    assert together is not None
    assert alone is not None
    assert later is not None
    assert torch.equal(together[4:5], alone)
    assert len({tuple(row) for row in together.tolist()}) == len(CLIPS)
    assert not torch.equal(alone, later)
    (said,) = one.describe(CLIPS[4], 3, samples=8000, frames=51, bands=5)
    assert said["operation"] == "filter_augment"
    assert said["gains_db"][0] == pytest.approx(alone[0, 0].item())  # pyright: ignore[reportIndexIssue]


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_decibels_are_decibels(power):
    """A whole octave louder by 20 dB is a wave ten times as large, whether a band holds a power or an amplitude."""
    front_end = MelFrontEnd(MelConfig(n_mels=40, power=power), 16_000)
    wave = torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))
    louder = BandChange(gain_db_BF=torch.full((2, 40), 20.0))
    torch.testing.assert_close(front_end(wave, louder), front_end(10 * wave))


@pytest.mark.parametrize("compression", ["log10p1", "db", "ln"])
def test_what_is_silent_stays_silent(compression):
    front_end = MelFrontEnd(MelConfig(n_mels=40, compression=compression), 16_000)
    silence, louder = torch.zeros(1, 8000), BandChange(gain_db_BF=torch.full((1, 40), 6.0))
    assert torch.equal(front_end(silence, louder), front_end(silence))


def test_each_band_by_its_own_gain_in_db():
    front_end = MelFrontEnd(MelConfig(n_mels=40, compression="db", floor_db=-200), 16_000)
    wave = torch.randn(3, 16_000, generator=torch.Generator().manual_seed(0))
    gain_BF = torch.linspace(-6, 6, 40) * torch.tensor([[1.0], [0.0], [-1.0]])
    change = front_end(wave, BandChange(gain_db_BF=gain_BF)) - front_end(wave)
    torch.testing.assert_close(change, gain_BF[:, None, None, :].expand_as(change), atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [{"min_db": 3, "max_db": 2}, {"min_points": 5, "max_points": 4}, {"min_points": 1}, {"p": 1.5}],
)
def test_wrong_settings(wrong):
    with pytest.raises(ValidationError):
        FilterAugmentConfig(**({"p": 0.5} | wrong))
