"""Tests for scores of cross-validation: corrected t, equivalence, Holm, sign flips by recording, McNemar.

Axes: J folds, G source recordings, P pairs of models, B random draws.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_EXACT_GROUPS = 13
"""Up to this many recordings with a difference, all sign flips are enumerated."""
_NO_SPREAD = 1e-12
"""Standard deviations below it are rounding."""


@dataclass(frozen=True, slots=True)
class FoldEstimate:
    """A mean over folds. Interval and p are None if there is one fold only."""

    mean: float
    error: float | None
    """Corrected standard error."""
    low: float | None
    high: float | None
    p: float | None
    """Two-sided, of the mean being 0."""


def corrected_t(values_J: np.ndarray, ratio: float, confidence: float = 0.95) -> FoldEstimate:
    """Mean over folds with an interval that accounts for overlapping training sets.

    The variance of the mean is s^2 (1/J + n_test/n_train) with J - 1 degrees of freedom. Several seeds have to be
    averaged within each fold before: they are not further splits. `ratio`: n_test/n_train; 0 gives the ordinary
    one-sample t-test. Without spread between the folds, p is 0 or, for a mean of 0, 1.

    Source: Nadeau and Bengio 2003 ("Inference for the generalization error").
    """
    from scipy.special import stdtrit

    mean = float(np.mean(values_J))
    error = _corrected_error(values_J, ratio)
    if error is None:
        return FoldEstimate(mean, None, None, None, None)
    half = float(stdtrit(len(values_J) - 1, (1 + confidence) / 2)) * error
    p = 2 * _upper_tail(abs(mean), error, len(values_J) - 1) if abs(mean) > _NO_SPREAD else 1.0
    return FoldEstimate(mean, error, mean - half, mean + half, p)


def equivalence_p(values_J: np.ndarray, ratio: float, margin: float) -> float | None:
    """p of two one-sided corrected t-tests (TOST): small if the mean is within -margin to margin. None for one fold."""
    error = _corrected_error(values_J, ratio)
    if error is None:
        return None
    return _upper_tail(margin - abs(float(np.mean(values_J))), error, len(values_J) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for the number of tests, in the order given.

    Source: Holm 1979 ("A simple sequentially rejective multiple test procedure").
    """
    p_P = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_P, kind="stable")
    stepped = np.maximum.accumulate(p_P[order] * np.arange(len(p_P), 0, -1))
    corrected_P = np.empty(len(p_P))
    corrected_P[order] = np.minimum(stepped, 1)
    return corrected_P.tolist()


def sign_flip_p(sums_GP: np.ndarray, rng: np.random.Generator, draws: int = 9999) -> np.ndarray:
    """Two-sided p (P) of the sums over recordings being 0, if each recording's sign were as likely the other.

    `sums_GP`: for each recording and pair of models, the (weighted) sum of the differences over the clips of the
    recording. All signs are enumerated for up to 13 recordings with a difference, otherwise `draws` are random. The
    observed signs count as one of the draws.
    """
    some = np.flatnonzero((sums_GP != 0).any(axis=1))
    sums_GP = sums_GP[some]
    if len(some) == 0:
        return np.ones(sums_GP.shape[1])
    observed_P = np.abs(sums_GP.sum(axis=0))
    # Rounding must not turn ties with the observed sum into smaller sums.
    at_least_P = observed_P - 1e-9 * np.abs(sums_GP).sum(axis=0)
    if len(some) <= _EXACT_GROUPS:
        bits_BG = (np.arange(2 ** len(some))[:, None] >> np.arange(len(some))) & 1
        reached_BP = np.abs((1.0 - 2.0 * bits_BG) @ sums_GP) >= at_least_P
        return reached_BP.mean(axis=0)
    count_P = np.ones(sums_GP.shape[1])
    for begin in range(0, draws, 1000):
        block = min(1000, draws - begin)
        signs_BG = rng.integers(0, 2, (block, len(some)), dtype=np.int8) * 2.0 - 1
        count_P += (np.abs(signs_BG @ sums_GP) >= at_least_P).sum(axis=0)
    return count_P / (draws + 1)


def mcnemar_p(first_correct_N: np.ndarray, second_correct_N: np.ndarray) -> float:
    """Exact McNemar test of two models on the same clips, two-sided. It takes clips as independent."""
    from scipy import stats

    first_only = int((first_correct_N & ~second_correct_N).sum())
    second_only = int((second_correct_N & ~first_correct_N).sum())
    if first_only + second_only == 0:
        return 1.0
    return float(stats.binomtest(first_only, first_only + second_only).pvalue)


def _corrected_error(values_J: np.ndarray, ratio: float) -> float | None:
    folds = len(values_J)
    if folds < 2:
        return None
    return float(np.std(values_J, ddof=1)) * math.sqrt(1 / folds + ratio)


def _upper_tail(distance: float, error: float, degrees: int) -> float:
    """P(T > distance / error)."""
    from scipy.special import stdtr

    if error < _NO_SPREAD:
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(degrees, -distance / error))
