"""A change of level in dB is what it says."""

import math

import pytest
import torch

from audiosurvey.augment.wave.gain import Gain, GainConfig, GainDraw
from audiosurvey.randomness import stream


def test_6_db_double_the_amplitude() -> None:
    wave_BS = torch.tensor([[0.1, -0.2], [0.3, 0.4]])
    draws = [GainDraw(20 * math.log10(2)), GainDraw(-20.0)]
    out_BS = Gain(GainConfig(p=1)).apply(wave_BS, draws, [2, 2])
    torch.testing.assert_close(out_BS, torch.tensor([[0.2, -0.4], [0.03, 0.04]]))


@pytest.mark.parametrize("bounds", [(-3, 9), (9, -3)])
def test_drawn_evenly_between_the_bounds_in_either_order(bounds: tuple[float, float]) -> None:
    gain = Gain(GainConfig(p=1, min_db=bounds[0], max_db=bounds[1]))
    drawn = [draw.gain_db for i in range(400) if (draw := gain.draw(stream(i), 10, 10))]
    assert -3 <= min(drawn) < -2.5
    assert 8.5 < max(drawn) <= 9
    assert abs(sum(drawn) / len(drawn) - 3) < 0.6


def test_drawn_evenly_in_amplitude() -> None:
    """`amp` of EAT: factors from 0.5 to 1.3, their mean 0.9."""
    bounds = {"min_db": 20 * math.log10(0.5), "max_db": 20 * math.log10(1.3)}
    gain = Gain(GainConfig.model_validate({"p": 1, "even_in": "amplitude", **bounds}))
    factors = [10 ** (draw.gain_db / 20) for i in range(2000) if (draw := gain.draw(stream(i), 10, 10))]
    assert 0.5 - 1e-9 <= min(factors) < 0.51
    assert 1.29 < max(factors) <= 1.3 + 1e-9
    assert sum(factors) / len(factors) == pytest.approx(0.9, abs=0.012)
