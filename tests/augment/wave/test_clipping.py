"""Peaks end at the limit, and what lies below it is untouched."""

import pytest
import torch
from pydantic import ValidationError

from audiosurvey.augment.wave.clipping import Clipping, ClippingConfig, ClippingDraw
from audiosurvey.randomness import stream


def test_the_limit_lies_below_the_peak_by_the_depth() -> None:
    wave_BS = torch.tensor([[0.1, -0.8, 0.4, 0.2], [0.01, 0.02, -0.005, 0.0]])
    out_BS = Clipping(ClippingConfig(p=1)).apply(wave_BS, [ClippingDraw(20.0), ClippingDraw(6.0206)], [4, 4])
    expected = torch.tensor([[0.08, -0.08, 0.08, 0.08], [0.01, 0.01, -0.005, 0.0]])
    torch.testing.assert_close(out_BS, expected, atol=1e-6, rtol=0)


def test_a_depth_of_0_db_changes_nothing() -> None:
    wave_BS = torch.tensor([[0.1, -0.8, 0.4]])
    assert torch.equal(Clipping(ClippingConfig(p=1)).apply(wave_BS, [ClippingDraw(0.0)], [3]), wave_BS)


def test_drawn_between_the_bounds_in_either_order() -> None:
    operation = Clipping(ClippingConfig(p=1, min_db=12, max_db=3))
    drawn = [draw.depth_db for i in range(300) if (draw := operation.draw(stream(i), 10, 10))]
    assert 3 <= min(drawn) < 4
    assert 11 < max(drawn) <= 12


def test_a_limit_above_the_peak_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        ClippingConfig(min_db=-3)
