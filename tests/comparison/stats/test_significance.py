"""The tests of a comparison: equal to scipy and statsmodels where these have them, by hand where not."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from audiosurvey.comparison.stats.significance import corrected_t, equivalence_p, holm, mcnemar_p, sign_flip_p

FOLDS = st.lists(st.floats(-0.2, 0.2).map(lambda x: round(x, 4)), min_size=2, max_size=10)
DIFFERENCES = np.array([0.02, 0.035, -0.01, 0.015, 0.03])


def rng():
    return np.random.default_rng(0)


def test_without_overlap_it_is_the_ordinary_t_test():
    found = corrected_t(DIFFERENCES, 0)
    expected = stats.ttest_1samp(DIFFERENCES, 0)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-12)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    of_statsmodels = DescrStatsW(DIFFERENCES)
    assert found.p == pytest.approx(of_statsmodels.ttest_mean(0)[1], rel=1e-12)
    assert (found.low, found.high) == pytest.approx(of_statsmodels.tconfint_mean(), rel=1e-12)


def test_five_folds_by_hand():
    # s^2 (1/5 + 1/4) = 0.45 s^2; the 97.5 % quantile of t with 4 degrees of freedom is 2.776
    mean, s = DIFFERENCES.mean(), DIFFERENCES.std(ddof=1)
    found = corrected_t(DIFFERENCES, 0.25)
    assert found.error == pytest.approx(s * math.sqrt(0.45))
    assert found.high == pytest.approx(mean + 2.776445 * s * math.sqrt(0.45), rel=1e-6)
    assert found.p == pytest.approx(2 * stats.t.sf(mean / (s * math.sqrt(0.45)), 4))


def test_equivalence_is_that_of_statsmodels():
    p, _, _ = DescrStatsW(DIFFERENCES).ttost_mean(-0.05, 0.05)
    assert equivalence_p(DIFFERENCES, 0, 0.05) == pytest.approx(p, rel=1e-10)
    assert equivalence_p(-DIFFERENCES, 0, 0.05) == pytest.approx(p, rel=1e-10)


def test_degenerate_folds():
    one = corrected_t(np.array([0.8]), 0.25)
    assert (one.mean, one.low, one.high, one.p) == (0.8, None, None, None)
    assert equivalence_p(np.array([0.0]), 0.25, 0.01) is None
    assert corrected_t(np.zeros(5), 0.25).p == 1
    assert corrected_t(np.full(5, 0.02), 0.25).p == 0
    assert equivalence_p(np.zeros(5), 0.25, 0.01) == 0
    assert equivalence_p(np.full(5, 0.01), 0.25, 0.01) == 1


@given(FOLDS, st.floats(0, 1))
def test_swapping_two_models_swaps_the_interval(values, ratio):
    back: Any
    there, back = corrected_t(np.array(values), ratio), corrected_t(-np.array(values), ratio)
    assert (there.mean, there.low, there.p) == pytest.approx((-back.mean, -back.high, back.p), abs=1e-12)
    assert equivalence_p(np.array(values), ratio, 0.01) == pytest.approx(
        equivalence_p(-np.array(values), ratio, 0.01), abs=1e-12
    )


@given(FOLDS, st.floats(0, 1))
def test_more_overlap_gives_wider_intervals_and_larger_p(values, ratio):
    narrow: Any
    wide: Any
    narrow, wide = corrected_t(np.array(values), ratio), corrected_t(np.array(values), ratio + 0.1)
    assert wide.p >= narrow.p
    assert wide.high - wide.low >= narrow.high - narrow.low


@settings(max_examples=8)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    corrected: Any = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(corrected.tolist(), abs=1e-15)


def test_holm_of_nothing():
    assert holm([]) == []


@pytest.mark.parametrize("recordings", [3, 8, 12])
def test_all_sign_flips_are_those_of_scipy(recordings):
    sums = rng().normal(0.3, 1, recordings)
    expected = stats.permutation_test(
        (sums,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip_p(sums[:, None], rng())[0] == pytest.approx(expected.pvalue)


def test_random_sign_flips_are_near_those_of_scipy():
    sums = np.random.default_rng(3).normal(0.25, 1, 60)
    expected = stats.permutation_test(
        (sums,),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        n_resamples=40_000,
        vectorized=True,
        rng=rng(),
    )
    found = sign_flip_p(sums[:, None], rng(), draws=40_000)[0]
    assert 0.01 < expected.pvalue < 0.2
    assert found == pytest.approx(expected.pvalue, abs=0.006)


def test_recordings_without_a_difference_do_not_matter():
    sums = np.array([1.0, 2, -1, 0, 3])
    padded = np.concatenate([sums, np.zeros(50)])
    assert sign_flip_p(padded[:, None], rng()) == sign_flip_p(sums[:, None], rng())
    assert sign_flip_p(np.zeros((5, 2)), rng()).tolist() == [1, 1]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_neither_order_nor_direction_matters_to_sign_flips(sums, random):
    shuffled = random.sample(sums, len(sums))
    p = sign_flip_p(np.array([sums, shuffled, [-x for x in sums]], dtype=float).T, rng())
    assert p[0] == p[2]
    assert sign_flip_p(np.array(shuffled, dtype=float)[:, None], rng())[0] == p[0]


def test_sign_flips_reject_five_in_a_hundred_where_there_is_no_difference():
    sums = np.random.default_rng(1).normal(0, 1, (10, 2000))
    rejected = (sign_flip_p(sums, rng()) < 0.05).mean()
    # four standard errors of a share of 0.05 among 2,000
    assert abs(rejected - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize("seed", range(4))
def test_mcnemar_is_that_of_statsmodels(seed):
    first, second = np.random.default_rng(seed).random((2, 200)) < np.array([[0.8], [0.7]])
    table = [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
    assert mcnemar_p(first, second) == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert mcnemar_p(first, second) == mcnemar_p(second, first)
    assert mcnemar_p(first, first) == 1
