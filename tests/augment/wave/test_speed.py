"""A clip played faster is shorter and higher, nothing folds back, and where it has ended there is silence."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augment.extent import Extent
from audiosurvey.augment.resampling import as_rational
from audiosurvey.augment.wave import speed as speed_module
from audiosurvey.augment.wave.speed import Speed, SpeedConfig, SpeedDraw, replay, without_folding
from audiosurvey.randomness import stream

RATE = 16000


def tone(hertz: float, samples: int = 16000) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hertz / RATE * torch.arange(samples, dtype=torch.float64)).float()[None]


@pytest.mark.parametrize("speed", [0.5, 0.8, 0.97, 1.1, 1.25, 2.0])
def test_a_tone_moves_by_the_speed_and_keeps_its_level(speed: float) -> None:
    heard = replay(tone(1000), [speed])[0, 200:7000].double()
    expected = torch.sin(2 * torch.pi * 1000 * speed / RATE * torch.arange(16000, dtype=torch.float64))[200:7000]
    assert 20 * torch.log10((heard - expected).abs().max()) < -60


@pytest.mark.parametrize(("speed", "hertz"), [(1.25, 6500), (1.25, 7500), (2.0, 4200), (2.0, 6000), (4.0, 3000)])
def test_what_would_lie_above_half_the_rate_is_gone_and_does_not_fold(speed: float, hertz: float) -> None:
    heard = replay(tone(hertz), [speed])[0, 300 : int(16000 / speed) - 300]
    assert 20 * torch.log10(heard.abs().max()) < -50


def test_after_its_end_there_is_silence() -> None:
    out_S = replay(tone(500), [1.25])[0]
    assert out_S[12_700:12_790].abs().max() > 0.1
    assert torch.equal(out_S[12_800:], torch.zeros(3200))


def test_a_click_is_found_where_the_speed_puts_it() -> None:
    wave_BS = torch.zeros(2, 8000)
    wave_BS[:, 4000] = 1
    faster_S, slower_S = replay(wave_BS, [1.25, 0.8])
    assert int(faster_S.abs().argmax()) == 3200
    assert int(slower_S.abs().argmax()) == 5000


def test_clips_are_played_each_at_its_own_speed() -> None:
    speed = Speed(SpeedConfig(p=1))
    wave_BS = torch.from_numpy(stream("wave").standard_normal((7, 50_000), dtype=np.float32))
    draws = [speed.draw(stream(i), 50_000, 50_000) for i in range(7)]
    together_BS = speed.apply(wave_BS, draws, [50_000] * 7)
    for row in (0, 3, 6):
        alone_BS = speed.apply(wave_BS[[row]], [draws[row]], [50_000])
        torch.testing.assert_close(together_BS[row], alone_BS[0], atol=1e-5, rtol=0)


@settings(deadline=None)
@given(st.floats(0.25, 4), st.integers(1, 3000))
def test_the_end_of_the_clip_is_known(speed: float, valid: int) -> None:
    wave_BS = torch.zeros(1, 3000)
    wave_BS[0, :valid] = 1
    end = Speed(SpeedConfig(p=1)).extent_after(SpeedDraw(speed), Extent.until(valid, 3000)).end
    assert 1 <= end <= 3000
    assert end == 3000 or abs(end - valid / speed) < 1
    assert replay(wave_BS, [speed]).shape == (1, 3000)


@pytest.mark.parametrize("bounds", [(0.8, 1.25), (1.25, 0.8)])
def test_speeds_are_drawn_evenly_in_octaves_between_the_bounds(bounds: tuple[float, float]) -> None:
    speed = Speed(SpeedConfig(p=1, min=bounds[0], max=bounds[1]))
    drawn = np.array([draw.speed for i in range(400) if (draw := speed.draw(stream(i), 10, 10))])
    assert drawn.min() >= 0.8
    assert drawn.max() <= 1.25
    assert np.allclose(
        np.quantile(np.log2(drawn), [0.25, 0.5, 0.75]), np.log2(1.25) * np.array([-0.5, 0, 0.5]), atol=0.05
    )


def test_a_speed_that_leaves_nothing_recognisable_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 4"):
        SpeedConfig(max=5)


def test_one_of_the_listed_speeds() -> None:
    speed = Speed(SpeedConfig(p=1, values=[1.25, 0.8333]))
    drawn = [draw.speed for i in range(200) if (draw := speed.draw(stream(i), 10, 10))]
    assert set(drawn) == {1.25, 0.8333}
    assert 70 < drawn.count(1.25) < 130


@pytest.mark.parametrize("speed", [0.25, 0.8, 57 / 61, 1.0, 65 / 64, 1.25, 61 / 53, 4.0])
@pytest.mark.parametrize("samples", [10, 5000, 5039])
def test_rows_equal_interpolation(speed: float, samples: int) -> None:
    wave_BS = torch.from_numpy(stream("wave").standard_normal((1, samples), dtype=np.float32))
    expected_BS = speed_module._interpolated(without_folding(wave_BS, [speed]), [speed])
    difference = replay(wave_BS, [speed]) - expected_BS
    # A position between two of the 2048 phases may be rounded to either; their kernels differ by about 1/1000.
    assert difference.abs().max() < 0.01
    assert difference.square().mean().sqrt() < 1e-3


def test_nearly_all_drawn_speeds_are_fractions_of_small_denominators() -> None:
    speed = Speed(SpeedConfig(p=1))
    drawn = [draw.speed for i in range(400) if (draw := speed.draw(stream(i), 10, 10))]
    assert np.mean([as_rational(each, 160_000) is not None for each in drawn]) > 0.99
    narrow = Speed(SpeedConfig(p=1, min=1.0001, max=1.0002)).draw(stream(0), 10, 10)
    assert narrow is not None
    assert 1.0001 <= narrow.speed <= 1.0002
