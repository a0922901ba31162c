"""Calibration: temperatures and thresholds fitted on clips that the network was not trained on.

Scores of single windows and means of several windows each have their own, see `artefact.temperature`. `binary`: scores
are independent probabilities of each class (sigmoid), not shares of one (softmax).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from audiosurvey.artefact.decision import Thresholds, least_score
from audiosurvey.artefact.temperature import Temperatures, logits_of, tempered
from audiosurvey.artefact.thresholds import choose_thresholds
from audiosurvey.training.metrics import BINS
from audiosurvey.training.sound_scores import ScoredWindows

LEAST_SOUNDS = 20
"""With fewer sounds of several windows, their temperature is fitted on all sounds."""
_COLDEST, _HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Decisions:
    """What thresholds are worth: how often they answer, and how often that is right."""

    clips: int
    """Sounds of the classes, of exclusive ones."""
    answered: float
    """Share of these that get a label; the others are `unknown`."""
    right: float | None
    """Share of the labels that are right; None without any."""
    others: int = 0
    """Sounds of no class."""
    others_unknown: float | None = None
    """Share of these that are `unknown`."""


@dataclass(frozen=True)
class Calibration:
    """Fitted temperatures and thresholds, and the calibration error without and with them."""

    temperature: float = 1.0
    """For the score of a single window. Logits are divided by it; above 1 the network was overconfident."""
    sound_temperature: float | None = None
    """For the mean of several windows; None: `temperature`, since all sounds are single windows."""
    thresholds: dict[str, float] | None = None
    """For the score of a single window, by class."""
    sound_thresholds: dict[str, float] | None = None
    """For the mean of several windows; None: `thresholds`."""
    fitted_on: str | None = None
    """The clips used for fitting; None without any."""
    error_before: float | None = None
    """Expected calibration error of the uncalibrated scores of sounds."""
    error_after: float | None = None
    """That of the calibrated scores."""
    window_error_before: float | None = None
    """Errors of single windows; None if each sound is one window."""
    window_error_after: float | None = None
    measured_on: str | None = None
    """The clips used for the errors."""
    others: int = 0
    """Sounds of no class that the thresholds were chosen with."""
    decisions: Decisions | None = None
    """On the clips that the errors were measured on; None for several labels, and without thresholds."""
    folds: tuple[int, ...] = ()
    """Of a fold's model: the other folds, on whose scores its thresholds were chosen once they had ended; empty for
    other models."""
    thresholds_on: str | None = None
    """The clips that the thresholds were chosen on, unless they are those that the temperatures were fitted on."""

    def temperatures(self, binary: bool) -> Temperatures:
        sound = self.temperature if self.sound_temperature is None else self.sound_temperature
        return Temperatures(binary, self.temperature, sound)

    def own_thresholds(self) -> Thresholds:
        """As a model has them."""
        window = self.thresholds or {}
        return Thresholds(window, window if self.sound_thresholds is None else self.sound_thresholds)

    def facts(self) -> dict[str, Any]:
        """The entries of model.json."""
        error = {"before": self.error_before, "after": self.error_after, "bins": BINS, "measured_on": self.measured_on}
        of_windows = {"before": self.window_error_before, "after": self.window_error_after}
        thresholds = self.own_thresholds()
        return {
            "calibration": {
                "temperature": self.temperature,
                "sound_temperature": self.temperatures(False).sound,
                "fitted_on": self.fitted_on,
                "expected_error": error,
                "window_error": of_windows if self.window_error_before is not None else None,
                **({"others": self.others} if self.others else {}),
                **({"decisions": asdict(self.decisions)} if self.decisions else {}),
                **({"folds": list(self.folds), "thresholds_on": self.thresholds_on} if self.folds else {}),
            },
            "thresholds": thresholds.window,
            "sound_thresholds": thresholds.sound,
        }


def fit_temperature(scores_NK: np.ndarray, truth_NK: np.ndarray, binary: bool, *, clips: int | None = None) -> float:
    """The temperature with the smallest negative log-likelihood.

    Targets are smoothed to (N + 1) / (N + 2) for N clips, after Platt, so that a few clips that are all recognised do
    not lead to scores of 1. `clips`: N, if rows are windows and several belong to one clip.

    Source: Guo et al. 2017 (arXiv 1706.04599), section 4.2; Platt 1999 ("Probabilistic outputs for support vector
    machines"), section 2.2, for the targets.
    """
    from scipy.optimize import minimize_scalar

    logits_NK = logits_of(scores_NK, binary)
    target_NK = _targets(np.asarray(truth_NK, dtype=np.float64), binary, clips or len(truth_NK))

    def loss(log_temperature: float) -> float:
        z_NK = logits_NK / math.exp(log_temperature)
        if binary:
            # -t log p - (1 - t) log(1 - p) of p = 1 / (1 + exp(-z)), without overflow
            return float((np.logaddexp(0, z_NK) - target_NK * z_NK).mean())
        peak_N1 = z_NK.max(axis=1, keepdims=True)
        total_N1 = peak_N1 + np.log(np.exp(z_NK - peak_N1).sum(axis=1, keepdims=True))
        return float((target_NK * (total_N1 - z_NK)).sum(axis=1).mean())

    # Convex in 1 / temperature, so that there is one minimum in log temperature too.
    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)


def calibrate(
    scored: ScoredWindows,
    truth_NK: np.ndarray,
    labels: Sequence[str],
    *,
    binary: bool,
    multi_label: bool,
    fitted_on: str,
    others: ScoredWindows | None = None,
) -> Calibration:
    """Temperatures and thresholds, each fitted on the kind of scores that it is applied to. Errors are not set.

    `others`: scores of sounds of no class, each of which the thresholds should reject; temperatures are fitted without
    them.
    """
    temperatures = fit_temperatures(scored, truth_NK, binary)
    found = with_thresholds(scored, truth_NK, labels, temperatures, multi_label=multi_label, others=others)
    single = (scored.counts_N == 1).all()
    return replace(
        found,
        temperature=temperatures.window,
        sound_temperature=None if single else temperatures.sound,
        fitted_on=fitted_on,
    )


def with_thresholds(
    scored: ScoredWindows,
    truth_NK: np.ndarray,
    labels: Sequence[str],
    temperatures: Temperatures,
    *,
    multi_label: bool,
    others: ScoredWindows | None = None,
) -> Calibration:
    """Thresholds alone, for scores at these temperatures."""
    parts = [(scored, truth_NK)]
    if others is not None:
        parts.append((others, np.zeros((len(others), len(labels)), truth_NK.dtype)))
    windows_WK = np.concatenate(
        [tempered(part.scores_WK, temperatures.window, temperatures.binary) for part, _ in parts]
    )
    of_windows_WK = np.concatenate([part_NK[part.rows_W] for part, part_NK in parts])
    thresholds = choose_thresholds(windows_WK, of_windows_WK, labels, multi_label=multi_label)
    found = Calibration(thresholds=thresholds, others=0 if others is None else len(others))
    if (scored.counts_N == 1).all():
        return found
    rows = [_several_windows(part) for part, _ in parts]
    sounds = [temperatures.apply_all(part)[chosen] for (part, _), chosen in zip(parts, rows, strict=True)]
    of_sounds = [part_NK[chosen] for (_, part_NK), chosen in zip(parts, rows, strict=True)]
    for_sounds = choose_thresholds(np.concatenate(sounds), np.concatenate(of_sounds), labels, multi_label=multi_label)
    return replace(found, sound_thresholds=for_sounds)


def accepted(
    scored: ScoredWindows, labels: Sequence[str], temperatures: Temperatures, thresholds: Thresholds
) -> np.ndarray:
    """Which sounds of exclusive classes are answered with their best class, and not with `unknown`; bool (N)."""
    calibrated_NK = temperatures.apply_all(scored)
    best_N = calibrated_NK.argmax(axis=1)
    least_N = [
        least_score(labels[int(best)], thresholds, int(windows))
        for best, windows in zip(best_N, scored.counts_N, strict=True)
    ]
    return calibrated_NK.max(axis=1) >= np.array(least_N)


def fit_temperatures(scored: ScoredWindows, truth_NK: np.ndarray, binary: bool) -> Temperatures:
    """Both temperatures; they are equal if each sound is one window."""
    window = fit_temperature(scored.scores_WK, truth_NK[scored.rows_W], binary, clips=len(scored))
    if (scored.counts_N == 1).all():
        return Temperatures(binary, window, window)
    rows = _several_windows(scored)
    return Temperatures(binary, window, fit_temperature(scored.sounds_NK[rows], truth_NK[rows], binary))


def _several_windows(scored: ScoredWindows) -> np.ndarray:
    """Indices of the sounds of several windows, or of all sounds if those are too few."""
    several_N = scored.counts_N > 1
    return np.flatnonzero(several_N if several_N.sum() >= LEAST_SOUNDS else np.ones_like(several_N))


def _targets(truth_NK: np.ndarray, binary: bool, clips: int) -> np.ndarray:
    rows, classes = truth_NK.shape
    if binary:
        # Windows of one clip are not independent: together they count as one.
        share = clips / rows
        true, all_ = truth_NK.sum() * share, truth_NK.size * share
        yes, no = (true + 1) / (true + 2), 1 / (all_ - true + 2)
        return np.where(truth_NK > 0.5, yes, no)
    doubt = 1 / (clips + 2)
    return truth_NK * (1 - doubt) + (1 - truth_NK) * doubt / max(1, classes - 1)
