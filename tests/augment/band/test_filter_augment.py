"""A curve over the bands: where it runs, what it does to levels, and that a clip's draw is its own."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from band_chain import CLIPS, band_chain, check_draws, drawn
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augment.band.filter_augment import FilterAugment, FilterAugmentConfig, FilterAugmentDraw
from audiosurvey.augment.band.operation import spectrogram
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream

FIXED = FilterAugmentDraw((0.0, 0.5, 1.0), (-6.0, 0.0, 3.0))


def gains_db(draws: Sequence[FilterAugmentDraw | None], bands: int) -> torch.Tensor:
    """By how many dB each band of each clip becomes louder, (B, F)."""
    front_end = MelFrontEnd(MelConfig(n_mels=bands), 16_000)
    operation = FilterAugment(FilterAugmentConfig(p=1))
    return 10 * operation.change(torch.ones(len(draws), 1, bands), draws, front_end)[:, 0].log10()


def shown(front_end: MelFrontEnd, wave_BS: torch.Tensor, *curves: Sequence[float]) -> torch.Tensor:
    """Spectrograms of clips with gains between two bands or more that are evenly spread."""
    draws = [FilterAugmentDraw(tuple(np.linspace(0, 1, len(curve))), tuple(curve)) for curve in curves]
    return spectrogram(front_end, wave_BS, [(FilterAugment(FilterAugmentConfig(p=1)), draws)])


def test_straight_lines_between_the_points_by_hand():
    torch.testing.assert_close(gains_db([FIXED, None], 5), torch.tensor([[-6, -3, 0, 1.5, 3], [0, 0, 0, 0, 0]]))


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
    gains = gains_db([draw], bands)
    assert gains.shape == (1, bands)
    assert low - 1e-4 <= gains.min() <= gains.max() <= low + width + 1e-4


def test_all_counts_and_gains_are_drawn():
    operation = FilterAugment(FilterAugmentConfig(p=1, min_points=3, max_points=6))
    draws = [draw for i in range(500) if (draw := operation.draw(stream(i)))]
    assert {len(draw.places) for draw in draws} == {3, 4, 5, 6}
    gains = np.concatenate([draw.gains_db for draw in draws])
    assert -6 <= gains.min() < -5.9
    assert 5.9 < gains.max() <= 6


def test_off_it_draws_nothing():
    assert drawn(band_chain("filter_augment", 0.0, n_mels=5), CLIPS, 1).bands == ()
    front_end, wave_BS = MelFrontEnd(MelConfig(n_mels=40), 16_000), torch.randn(2, 8000)
    unchanged = spectrogram(front_end, wave_BS, [(FilterAugment(FilterAugmentConfig(p=0.5)), [None, None])])
    assert torch.equal(unchanged, front_end(wave_BS))


def test_a_clip_has_the_same_curve_alone_and_in_any_batch():
    draw, said = check_draws(band_chain("filter_augment", 1.0, n_mels=5))
    assert said == {"operation": "filter_augment", "places": draw.places, "gains_db": draw.gains_db}


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_decibels_are_decibels(power):
    """A whole octave louder by 20 dB is a wave ten times as large, whether a band holds a power or an amplitude."""
    front_end = MelFrontEnd(MelConfig(n_mels=40, power=power), 16_000)
    wave = torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(shown(front_end, wave, (20, 20), (20, 20)), front_end(10 * wave))


@pytest.mark.parametrize("compression", ["log10p1", "db", "ln"])
def test_what_is_silent_stays_silent(compression):
    front_end = MelFrontEnd(MelConfig(n_mels=40, compression=compression), 16_000)
    silence = torch.zeros(1, 8000)
    assert torch.equal(shown(front_end, silence, (6, 6)), front_end(silence))


def test_each_band_by_its_own_gain_in_db():
    front_end = MelFrontEnd(MelConfig(n_mels=40, compression="db", floor_db=-200), 16_000)
    wave = torch.randn(3, 16_000, generator=torch.Generator().manual_seed(0))
    gain_BF = torch.linspace(-6, 6, 40) * torch.tensor([[1.0], [0.0], [-1.0]])
    change = shown(front_end, wave, *gain_BF.tolist()) - front_end(wave)
    torch.testing.assert_close(change, gain_BF[:, None, None, :].expand_as(change), atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [{"min_db": 3, "max_db": 2}, {"min_points": 5, "max_points": 4}, {"min_points": 1}, {"p": 1.5}],
)
def test_wrong_settings(wrong):
    with pytest.raises(ValidationError):
        FilterAugmentConfig(**({"p": 0.5} | wrong))
