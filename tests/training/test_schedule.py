"""Learning rates by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.training.schedule import ScheduleConfig, rate_factor

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
    assert all(earlier < later for earlier, later in zip(factors[: warm - 1], factors[1:warm], strict=False))
    assert all(later <= earlier + 1e-9 for earlier, later in zip(factors[warm:], factors[warm + 1 :], strict=False))
