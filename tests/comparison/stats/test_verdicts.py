"""Verdicts from scores in folds, and ranks that follow from them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from audiosurvey.comparison.stats.verdicts import against, all_pairs, rank_ranges

NOISE = np.array([0.004, -0.003, 0.002, -0.001, -0.002])
CLEAR = np.stack([0.9 + NOISE, 0.8 - NOISE, 0.8 + 0.2 * NOISE])
RATIOS = [0.25] * 3


def test_verdicts_on_clear_cases():
    found = {(one.first, one.second): one.verdict for one in all_pairs(CLEAR, RATIOS)}
    assert found == {(0, 1): "better", (0, 2): "better", (1, 2): "the same"}
    assert [one.verdict for one in against(CLEAR, RATIOS, 0)] == ["worse", "worse"]
    noisy = np.array([[0.9, 0.7, 0.8, 0.85, 0.75], [0.75, 0.8, 0.85, 0.7, 0.8]])
    assert [one.verdict for one in all_pairs(noisy, RATIOS[:2])] == ["undecided"]


def test_a_small_difference_that_is_sure_is_practically_none():
    small = np.stack([0.803 + 0.1 * NOISE, np.full(5, 0.8)])
    (test,) = all_pairs(small, RATIOS[:2])
    assert test.p_holm is not None
    assert test.p_holm < 0.05
    assert test.verdict == "the same"
    assert all_pairs(small, RATIOS[:2], margin=0.002)[0].verdict == "better"


def test_p_values_are_those_of_scipy_and_statsmodels():
    rng = np.random.default_rng(0)
    scores = rng.normal(0.8, 0.02, (4, 5))
    tests = against(scores, [0] * 4, 1)
    expected = [stats.ttest_rel(scores[model], scores[1]).pvalue for model in (0, 2, 3)]
    assert [one.difference.p for one in tests] == pytest.approx(expected)
    assert [one.p_holm for one in tests] == pytest.approx(multipletests(expected, method="holm")[1])


def test_the_smaller_training_sets_count():
    wide: Any
    narrow: Any
    wide, narrow = (all_pairs(CLEAR[:2], ratios)[0].difference for ratios in ([0.25, 0.5], [0.25, 0.25]))
    assert wide.high - wide.low > narrow.high - narrow.low


def test_one_fold_decides_nothing():
    (test,) = all_pairs(np.array([[0.9], [0.1]]), RATIOS[:2])
    assert (test.verdict, test.p_holm, test.difference.mean) == (None, None, pytest.approx(0.8))


def test_ranks_are_ranges_where_models_cannot_be_told_apart():
    assert rank_ranges(all_pairs(CLEAR, RATIOS), 3) == [(1, 1), (2, 3), (2, 3)]
    assert rank_ranges([], 1) == [(1, 1)]


@given(st.integers(2, 5), st.integers(2, 6), st.randoms(use_true_random=False))
def test_the_order_of_models_does_not_matter(models, folds, random):
    scores = np.array([[random.random() for _ in range(folds)] for _ in range(models)])
    order = random.sample(range(models), models)
    there = {
        (one.first, one.second): one for test in all_pairs(scores, [0.2] * models) for one in (test, test.swapped())
    }
    opposite = {"better": "worse", "worse": "better"}
    for one in all_pairs(scores[order], [0.2] * models):
        same = there[order[one.first], order[one.second]]
        assert one.verdict == same.verdict
        assert one.p_holm == pytest.approx(same.p_holm)
        assert one.swapped().verdict == (opposite.get(one.verdict, one.verdict) if one.verdict else None)
    ranks = rank_ranges(all_pairs(scores, [0.2] * models), models)
    assert all(1 <= best <= worst <= models for best, worst in ranks)
