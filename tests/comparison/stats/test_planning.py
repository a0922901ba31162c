"""How many folds or seeds decide: variances by hand, and the power by simulation."""

from typing import Any

import numpy as np
import pytest

from audiosurvey.comparison.stats.planning import Spread, folds_needed, power, seeds_needed, spread
from audiosurvey.comparison.stats.significance import corrected_t


def test_variances_by_hand():
    first, second = np.array([[0.8, 0.9], [0.82, 0.86]]), np.array([[0.7, 0.74]])
    found: Any = spread(first, second, 0.25)
    # differences 0.11 and 0.14; variance between seeds (0.0002 + 0.0008) / 2, taken for both models
    assert found.mean == pytest.approx(0.125)
    assert found.seed == pytest.approx(2 * 0.0005)
    assert found.fold == pytest.approx(max(0.00045 - 0.0005 / 2 - 0.0005, 0))
    assert spread(first[:1], second, 0.25).seed is None


def test_the_power_is_that_of_simulation():
    rng = np.random.default_rng(0)
    found = Spread(mean=0.03, fold=0.0003, seed=0.0004, folds=5, ratio=0.25)
    assert found.seed is not None
    deviation = np.sqrt(found.fold + found.seed / 4)
    # The correction says that the mean varies by s^2 (1/J + ratio): a shift common to all folds gives it.
    shift = rng.normal(0, deviation * np.sqrt(found.ratio), 4000)
    values = found.mean + shift[:, None] + rng.normal(0, deviation, (4000, 5))
    p_values: list[Any] = [corrected_t(row, found.ratio).p for row in values]
    decided = (np.array(p_values) < 0.05).mean()
    assert power(found, 5, 4, 0.05) == pytest.approx(decided, abs=0.03)


def test_seeds_decide_where_seeds_are_the_noise():
    found = Spread(mean=0.03, fold=0.0001, seed=0.002, folds=5, ratio=0.25)
    needed = seeds_needed(found)
    assert needed is not None
    assert power(found, 5, needed, 0.05) >= 0.8 > power(found, 5, needed - 1, 0.05)


def test_no_number_of_seeds_decides_where_folds_are_the_noise():
    assert seeds_needed(Spread(mean=0.01, fold=0.002, seed=0.0001, folds=5, ratio=0.25)) is None


def test_no_number_of_folds_decides_below_the_floor():
    # However many folds, the variance stays above s^2 n_test/n_train.
    assert folds_needed(Spread(mean=0.01, fold=0.002, seed=None, folds=5, ratio=0.25), 1) is None
    found = Spread(mean=0.05, fold=0.0005, seed=None, folds=5, ratio=0.25)
    assert 2 < (folds_needed(found, 1) or 0) < 50


def test_one_seed_on_each_side_tells_nothing_of_seeds():
    with pytest.raises(ValueError, match="one seed"):
        seeds_needed(Spread(mean=0.01, fold=0.002, seed=None, folds=5, ratio=0.25))
