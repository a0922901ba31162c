"""A little phase noise is heard as little: levels fall by what the depth says, and other depths by as much more."""

import math

import numpy as np
import pytest
import torch

from audiosurvey.augment.wave.phase_noise import PhaseNoise, PhaseNoiseConfig, PhaseNoiseDraw
from audiosurvey.randomness import stream

RATE = 16_000
WAVE_BS = torch.from_numpy(stream("waves").standard_normal((3, 20_000), dtype=np.float32))


def disturbed(depth: float, size: int = 0, offset: int = 5) -> torch.Tensor:
    return PhaseNoise(PhaseNoiseConfig(p=1), sample_rate=RATE).apply(
        WAVE_BS[:1], [PhaseNoiseDraw(depth, size, offset)], [20_000]
    )


@pytest.mark.parametrize("size", range(3))
def test_no_depth_changes_nothing(size: int) -> None:
    torch.testing.assert_close(disturbed(0.0, size), WAVE_BS[:1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", range(3))
@pytest.mark.parametrize("depth", [0.01, 0.02])
def test_the_change_is_that_of_the_mean_turn_and_weakening_and_their_spread(size: int, depth: float) -> None:
    """Cell by cell exp(i w) - 1 is about i w, and |w| squared has the mean depth^2 (1/3 + 1/3).

    Frames that overlap average the spread but not the mean; the part of every cell that no real signal has is lost.
    """
    change = (disturbed(depth, size) - WAVE_BS[:1])[0, 2000:18_000].double().norm() / WAVE_BS[0, 2000:18_000].norm()
    assert depth / 2 < change.item() < depth * math.sqrt(2 / 3)


def test_magnitudes_fall_by_half_the_depth_on_average() -> None:
    out_S, wave_S = disturbed(0.3)[0], WAVE_BS[0]
    along = (out_S @ wave_S / (wave_S @ wave_S)).item()
    # The mean of exp(-0.3 v) cos(0.3 u) over two unit intervals.
    assert along == pytest.approx((1 - math.exp(-0.3)) / 0.3 * math.sin(0.3) / 0.3, abs=5e-3)


def test_clips_together_are_as_alone() -> None:
    operation = PhaseNoise(PhaseNoiseConfig(p=1), sample_rate=RATE)
    draws = [PhaseNoiseDraw(0.2, size, 1000 * size) for size in range(3)]
    together_BS = operation.apply(WAVE_BS, draws, [20_000] * 3)
    for row, draw in enumerate(draws):
        alone_BS = operation.apply(WAVE_BS[[row]], [draw], [20_000])
        torch.testing.assert_close(together_BS[row], alone_BS[0], atol=1e-5, rtol=0)


def test_depth_is_drawn_between_the_bounds_and_all_sizes_come() -> None:
    operation = PhaseNoise(PhaseNoiseConfig(p=1), sample_rate=RATE)
    draws = [draw for i in range(300) if (draw := operation.draw(stream(i), 10, 10))]
    assert 0.01 <= min(draw.depth for draw in draws) < 0.0102
    assert 0.0198 < max(draw.depth for draw in draws) <= 0.02
    assert {draw.size for draw in draws} == {0, 1, 2}
