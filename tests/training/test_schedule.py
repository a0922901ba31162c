"""Learning rates by hand."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.training.schedule import ScheduleConfig, cycled_momentum, rate_factor

COSINE = ScheduleConfig(name="cosine", warmup=0.1, final=0.01)


def test_warm_up_peak_and_end():
    assert rate_factor(COSINE, 0, 100) == pytest.approx(0.1)
    assert rate_factor(COSINE, 9, 100) == pytest.approx(1.0)
    assert rate_factor(COSINE, 10, 100) == pytest.approx(1.0)
    assert rate_factor(COSINE, 99, 100) == pytest.approx(0.01)


def test_half_way_is_the_mean():
    config = ScheduleConfig(name="cosine", warmup=0.0, final=0.2)
    assert rate_factor(config, 50, 101) == pytest.approx(0.6)


def test_constant_and_open_end():
    assert rate_factor(ScheduleConfig(name="constant"), 7, 10) == 1.0
    assert rate_factor(COSINE, 7, 0) == 1.0


@given(total=st.integers(1, 500), warmup=st.floats(0, 0.9), final=st.floats(0, 1))
def test_never_zero_in_the_warm_up_and_never_above_one(total, warmup, final):
    config = ScheduleConfig(name="cosine", warmup=warmup, final=final)
    factors = [rate_factor(config, step, total) for step in range(total)]
    assert all(0 <= factor <= 1 + 1e-9 for factor in factors)
    warm = round(warmup * total)
    assert all(earlier < later for earlier, later in pairwise(factors[:warm]))
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(factors[warm:]))


@pytest.mark.parametrize(("total", "warmup"), [(100, 0.1), (57, 0.3)])
def test_one_cycle_is_torchs(total, warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=total, pct_start=warmup, div_factor=25, final_div_factor=1e4
    )
    config = ScheduleConfig(name="one_cycle", warmup=warmup, start=1 / 25, final=1 / 25 / 1e4, momentum_low=0.85)
    for step in range(total):
        assert rate_factor(config, step, total) == pytest.approx(torchs.get_last_lr()[0], abs=1e-6)
        momentum = optimizer.param_groups[0]["momentum"]
        assert cycled_momentum(config, 0.95, step, total) == pytest.approx(momentum, abs=1e-6)
        optimizer.step()
        if step < total - 1:
            torchs.step()


def test_ramp_has_efficientats_values():
    """80 epochs, warm-up 10, line down from 10 to 75, floor 0.01; one step stands for an epoch here."""
    config = ScheduleConfig(name="ramp", warmup=10 / 80, ramp_start=10 / 80, ramp_end=75 / 80, final=0.01)
    for epoch, factor in [(0, 0.011), (5, 0.287), (10, 1.0), (42, 0.513), (75, 0.01), (79, 0.01)]:
        assert rate_factor(config, epoch, 80) == pytest.approx(factor, abs=5e-4)


def test_a_line_that_ends_before_it_begins():
    with pytest.raises(ValueError, match=r"would end at 0\.4, before it starts at ramp_start \(0\.5\)"):
        ScheduleConfig(name="ramp", ramp_start=0.5, ramp_end=0.4)


def test_the_momentum_stays_where_nobody_asked_or_the_end_is_open():
    assert cycled_momentum(ScheduleConfig(name="one_cycle"), 0.9, 3, 10) is None
    assert cycled_momentum(ScheduleConfig(name="one_cycle", momentum_low=0.8), 0.9, 3, 0) is None


@pytest.mark.parametrize("name", ["auto", "cosine", "constant", "ramp"])
def test_a_momentum_without_a_cycle_is_refused(name):
    with pytest.raises(ValueError, match="only by one_cycle, not by"):
        ScheduleConfig(name=name, momentum_low=0.8)
