"""How many more folds or seeds would decide between two models.

The differences of the folds vary because folds differ and because trainings differ by seed. More seeds reduce the
second part only. The answer takes the observed difference and variances as the true ones, and asks for a power of 80 %.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audiosurvey.comparison.stats.verdicts import ALPHA

POWER = 0.8
_MOST_SEEDS = 100
_MOST_FOLDS = 200


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances of the difference of two models."""

    mean: float
    fold: float
    """Between folds, without the part of the seeds; never negative."""
    seed: float | None
    """Of the difference in one fold between single seeds, one of each model; None if neither model has two seeds."""
    folds: int
    ratio: float
    """n_test/n_train."""


def spread(first_SJ: np.ndarray, second_SJ: np.ndarray, ratio: float) -> Spread:
    """Splits the variance of the fold differences of two models, given as scores by seed and fold."""
    difference_J = first_SJ.mean(axis=0) - second_SJ.mean(axis=0)
    total = float(np.var(difference_J, ddof=1))
    within = [(len(scores_SJ), _within(scores_SJ)) for scores_SJ in (first_SJ, second_SJ)]
    known = [variance for _, variance in within if variance is not None]
    if not known:
        return Spread(float(difference_J.mean()), total, None, len(difference_J), ratio)
    # A model with one seed is taken to vary as the other one.
    variances = [known[0] if variance is None else variance for _, variance in within]
    of_means = sum(variance / seeds for (seeds, _), variance in zip(within, variances, strict=True))
    fold = max(total - of_means, 0.0)
    return Spread(float(difference_J.mean()), fold, sum(variances), len(difference_J), ratio)


def power(found: Spread, folds: int, seeds: int, alpha: float, margin: float = 0.0) -> float:
    """Probability that the corrected t-test finds the difference, with `seeds` of each model.

    For a difference inside the margin: that it, or the test of equivalence, decides (the larger probability).
    """
    from scipy import stats

    variance = found.fold + (found.seed or 0.0) / seeds
    error, spare = math.sqrt(variance * (1 / folds + found.ratio)), margin - abs(found.mean)
    if error == 0:
        return 1.0 if found.mean or spare > 0 else 0.0
    degrees = folds - 1
    differs = float(stats.nct.sf(float(stats.t.ppf(1 - alpha / 2, degrees)), degrees, abs(found.mean) / error))
    if spare <= 0:
        return differs
    # Both one-sided tests have to hold.
    critical = float(stats.t.ppf(1 - ALPHA, degrees))
    sides = [float(stats.nct.sf(critical, degrees, (margin + sign * found.mean) / error)) for sign in (-1, 1)]
    return max(differs, sum(sides) - 1)


def seeds_needed(found: Spread, alpha: float = ALPHA, margin: float = 0.0) -> int | None:
    """Seeds of each model that decide with a power of 80 %; None if no number of seeds does.

    Raises ValueError if the variance of the seeds is not known.
    """
    if found.seed is None:
        raise ValueError("one seed on each side")
    return _smallest(lambda seeds: power(found, found.folds, seeds, alpha, margin), 1, _MOST_SEEDS)


def folds_needed(found: Spread, seeds: int, alpha: float = ALPHA, margin: float = 0.0) -> int | None:
    """Folds of this size (of repeated cross-validation) that decide with a power of 80 %; None if no number does."""
    return _smallest(lambda folds: power(found, folds, seeds, alpha, margin), 2, _MOST_FOLDS)


def _smallest(power_of: Callable[[int], float], least: int, most: int) -> int | None:
    # The power grows with the number.
    if power_of(most) < POWER:
        return None
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= POWER else (middle + 1, high)
    return low


def _within(scores_SJ: np.ndarray) -> float | None:
    return None if len(scores_SJ) < 2 else float(np.var(scores_SJ, axis=0, ddof=1).mean())
