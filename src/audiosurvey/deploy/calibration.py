"""Calibration: one temperature that makes scores mean what they say, and a threshold a class to reject what is none.

Enters: scores (N, K) of clips that the network was not trained on, and what is true of them; leaves: what model.json
holds under `calibration` and `thresholds`. `binary` everywhere: a score is a probability for each class by itself
(sigmoid), and not a share of one (softmax).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 15
_COLDEST, _HOTTEST = 0.05, 20.0
_LEAST = 1e-30
"""A score of nothing, as float32 has it, stands for a very small one."""
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and what it did to the calibration error."""

    temperature: float = 1.0
    """Logits are divided by it before they become scores; above 1 the network was too sure of itself."""
    thresholds: dict[str, float] | None = None
    """For each class of which there were clips: below this score a sound is rather not of the class."""
    fitted_on: str | None = None
    """The clips that temperature and thresholds were chosen on; None where there were none."""
    error_before: float | None = None
    """Expected calibration error of the scores as the network gives them."""
    error_after: float | None = None
    """The same after the logits were divided by the temperature."""
    measured_on: str | None = None
    """The clips that the two errors are of."""

    def facts(self) -> dict[str, Any]:
        """The entries of model.json."""
        error = {"before": self.error_before, "after": self.error_after, "bins": BINS, "measured_on": self.measured_on}
        return {
            "calibration": {"temperature": self.temperature, "fitted_on": self.fitted_on, "expected_error": error},
            "thresholds": self.thresholds or {},
        }


def fit_temperature(scores_NK: np.ndarray, truth_NK: np.ndarray, binary: bool) -> float:
    """The temperature under which the truth is likeliest: least negative log-likelihood, found by golden section.

    In place of certain targets stand those of Platt, (N + 1) / (N + 2) with N the clips seen: for large N they are the
    same, and few clips, all recognised, do not make scores of 1.

    Source: Guo et al. 2017 (arXiv 1706.04599), section 4.2; Platt 1999 ("Probabilistic outputs for support vector
    machines"), section 2.2, for the targets.
    """
    logits_NK = _logits(scores_NK, binary)
    target_NK = _targets(np.asarray(truth_NK, dtype=np.float64), binary)

    def loss(log_temperature: float) -> float:
        z_NK = logits_NK / math.exp(log_temperature)
        if binary:
            # -t log p - (1 - t) log(1 - p) of p = 1 / (1 + exp(-z)), without overflow
            return float((np.logaddexp(0, z_NK) - target_NK * z_NK).mean())
        peak_N1 = z_NK.max(axis=1, keepdims=True)
        total_N1 = peak_N1 + np.log(np.exp(z_NK - peak_N1).sum(axis=1, keepdims=True))
        return float((target_NK * (total_N1 - z_NK)).sum(axis=1).mean())

    # Convex in 1 / temperature, so that it has one valley in log temperature too.
    return math.exp(_lowest(loss, math.log(_COLDEST), math.log(_HOTTEST)))


def tempered(scores_NK: np.ndarray, temperature: float, binary: bool) -> np.ndarray:
    """The scores (N, K) that the same logits give when divided by `temperature`; their order does not change."""
    z_NK = _logits(scores_NK, binary) / temperature
    if binary:
        return np.exp(-np.logaddexp(0, -z_NK))
    share_NK = np.exp(z_NK - z_NK.max(axis=1, keepdims=True))
    return share_NK / share_NK.sum(axis=1, keepdims=True)


def expected_error(scores_NK: np.ndarray, truth_NK: np.ndarray, binary: bool, bins: int = BINS) -> float:
    """Expected calibration error: how far scores are from the share of clips that they turn out right for.

    The highest score of each clip goes into one of `bins` bins of equal width (`binary`: each score of each clip);
    |mean score - share that is true| is averaged over the bins, weighted by what is in them. 0 is perfect.

    Source: Naeini et al. 2015 ("Obtaining well calibrated probabilities using Bayesian binning").
    """
    scores_NK, truth_NK = np.asarray(scores_NK, dtype=np.float64), np.asarray(truth_NK, dtype=np.float64)
    if binary:
        said, true = scores_NK.ravel(), truth_NK.ravel()
    else:
        best_N1 = scores_NK.argmax(axis=1)[:, None]
        said = np.take_along_axis(scores_NK, best_N1, axis=1)[:, 0]
        true = np.take_along_axis(truth_NK, best_N1, axis=1)[:, 0]
    place = np.minimum((said * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights=said - true, minlength=bins)
    return float(np.abs(gap).sum() / len(said))


def choose_thresholds(scores_NK: np.ndarray, truth_NK: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """For each class the threshold with the largest F1 of "score >= threshold" against "is of the class".

    It stands in the middle between the lowest score it lets through and the highest it does not; of several equally
    good ones the highest is taken, which rejects most. Classes without a clip have none.
    """
    return {
        label: _best_threshold(scores_NK[:, k].astype(np.float64), truth_NK[:, k] > 0.5)
        for k, label in enumerate(labels)
        if truth_NK[:, k].any()
    }


def calibrate(
    scores_NK: np.ndarray, truth_NK: np.ndarray, labels: Sequence[str], binary: bool, fitted_on: str
) -> Calibration:
    """Temperature and thresholds of these clips; the errors are left to who has other clips to measure them on."""
    temperature = fit_temperature(scores_NK, truth_NK, binary)
    thresholds = choose_thresholds(tempered(scores_NK, temperature, binary), truth_NK, labels)
    return Calibration(temperature, thresholds, fitted_on)


def _logits(scores_NK: np.ndarray, binary: bool) -> np.ndarray:
    """Logits that give these scores; of a softmax up to a constant a clip, which changes nothing."""
    p_NK = np.clip(np.asarray(scores_NK, dtype=np.float64), _LEAST, 1.0)
    if not binary:
        return np.log(p_NK)
    # The nearest to 1 that float32 can say is 2^-24 away from it.
    return np.log(p_NK) - np.log(np.maximum(1 - p_NK, 2.0**-25))


def _targets(truth_NK: np.ndarray, binary: bool) -> np.ndarray:
    if binary:
        true = truth_NK.sum()
        yes, no = (true + 1) / (true + 2), 1 / (truth_NK.size - true + 2)
        return np.where(truth_NK > 0.5, yes, no)
    clips, classes = truth_NK.shape
    doubt = 1 / (clips + 2)
    return truth_NK * (1 - doubt) + (1 - truth_NK) * doubt / max(1, classes - 1)


def _lowest(function: Callable[[float], float], low: float, high: float, width: float = 1e-6) -> float:
    """Where a function of one valley is lowest: golden section."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > width:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2


def _best_threshold(score_N: np.ndarray, true_N: np.ndarray) -> float:
    order = np.argsort(-score_N, kind="stable")
    score_N, true_N = score_N[order], true_N[order]
    accepted = np.arange(1, len(score_N) + 1)
    # F1 = 2 TP / (accepted + positives), where the n highest are accepted; equal scores are accepted together.
    f1_N = 2 * np.cumsum(true_N) / (accepted + true_N.sum())
    apart_N = np.append(score_N[:-1] > score_N[1:], True)
    count = int(np.where(apart_N, f1_N, -1).argmax()) + 1
    below = score_N[count] if count < len(score_N) else 0.0
    return float((score_N[count - 1] + below) / 2)
