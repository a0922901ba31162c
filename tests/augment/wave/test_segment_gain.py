"""A stretch of the asked length changes its level by what was drawn, and nothing else changes."""

import math

import pytest
import torch

from audiosurvey.augment.wave.segment_gain import SegmentGain, SegmentGainConfig, SegmentGainDraw
from audiosurvey.randomness import stream

RATE = 1000


def test_the_stretch_alone_is_changed() -> None:
    operation = SegmentGain(SegmentGainConfig(p=1, length_s=0.003), sample_rate=RATE)
    draws = [SegmentGainDraw(20 * math.log10(2), 2), SegmentGainDraw(-20.0, 7)]
    out_BS = operation.apply(torch.ones(2, 10), draws, [10, 10])
    torch.testing.assert_close(out_BS[0], torch.tensor([1, 1, 2, 2, 2, 1, 1, 1, 1, 1.0]))
    torch.testing.assert_close(out_BS[1], torch.tensor([1, 1, 1, 1, 1, 1, 1, 0.1, 0.1, 0.1]))


def test_every_place_of_the_window_is_reached_and_none_beyond() -> None:
    operation = SegmentGain(SegmentGainConfig(p=1, length_s=0.004), sample_rate=RATE)
    starts = {draw.start for i in range(400) if (draw := operation.draw(stream(i), 20, 20))}
    assert starts == set(range(17))


def test_a_stretch_longer_than_the_window_is_the_window() -> None:
    operation = SegmentGain(SegmentGainConfig(p=1, length_s=1, min_db=6, max_db=6), sample_rate=RATE)
    draw = operation.draw(stream(0), 20, 20)
    assert draw is not None
    torch.testing.assert_close(operation.apply(torch.ones(1, 20), [draw], [20]), torch.full((1, 20), 10**0.3))


@pytest.mark.parametrize(("even_in", "mean"), [("amplitude", 0.9), ("db", 0.8 / math.log(1.3 / 0.5))])
def test_the_factor_is_drawn_evenly_in_amplitude_or_in_db(even_in: str, mean: float) -> None:
    bounds = {"min_db": 20 * math.log10(0.5), "max_db": 20 * math.log10(1.3)}
    operation = SegmentGain(SegmentGainConfig.model_validate({"p": 1, "even_in": even_in, **bounds}), sample_rate=RATE)
    factors = [10 ** (draw.gain_db / 20) for i in range(2000) if (draw := operation.draw(stream(i), 200, 200))]
    assert 0.5 <= min(factors) < 0.51
    assert 1.29 < max(factors) <= 1.3 + 1e-9
    assert sum(factors) / len(factors) == pytest.approx(mean, abs=0.012)
