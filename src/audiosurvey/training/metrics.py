"""Metrics as pure functions of scores: (N, K) probabilities and what was true.

A metric that the data cannot give (AUROC where only one class occurs, top-3 of three classes) is None, never a
number that looks like one. Those of each class, and their means, are in `class_metrics`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiosurvey.training.class_metrics import (
    auroc,
    balanced_accuracy,
    decisions,
    f1,
    mean_average_precision,
    precision,
)

Metrics = dict[str, float | None]
BINS = 15
"""Of the expected calibration error."""


def accuracy(scores_NK: np.ndarray, target_N: np.ndarray) -> float:
    """Share of clips whose highest score is the true class.

    Args:
        scores_NK: scores (N, K).
        target_N: numbers of the true classes (N).

    Returns:
        From 0 to 1.
    """
    return float((scores_NK.argmax(axis=1) == target_N).mean())


def top_k_accuracy(scores_NK: np.ndarray, target_N: np.ndarray, k: int) -> float | None:
    """Share of clips whose true class is among the `k` highest scores.

    Args:
        scores_NK: scores (N, K).
        target_N: numbers of the true classes (N).
        k: how many of the highest scores count.

    Returns:
        From 0 to 1; None where k classes are nearly all (K <= k).
    """
    if scores_NK.shape[1] <= k:
        return None
    true_N1 = np.take_along_axis(scores_NK, target_N[:, None], axis=1)
    # Ties count against the clip only as far as their order in the table does, as with argmax.
    columns = np.arange(scores_NK.shape[1])[None, :]
    ahead = (scores_NK > true_N1) | ((scores_NK == true_N1) & (columns < target_N[:, None]))
    return float((ahead.sum(axis=1) < k).mean())


def expected_calibration_error(
    scores_NK: np.ndarray, truth_NK: np.ndarray, every_score: bool, bins: int = BINS
) -> float:
    """Expected calibration error: how far scores are from the share of clips for which they are right; 0 is perfect.

    The highest score of each clip is put into one of `bins` bins of equal width. The error is the mean of
    |mean score - accuracy| over the bins, weighted by their number of scores.

    Source: Guo et al. 2017 (arXiv 1706.04599), section 2; Naeini et al. 2015.

    Args:
        scores_NK: probabilities (N, K).
        truth_NK: 1 for each label of a clip, else 0.
        every_score: count the scores of all classes, for labels that do not exclude each other.
        bins: how many.

    Returns:
        From 0 to 1.
    """
    scores_NK, truth_NK = np.asarray(scores_NK, dtype=np.float64), np.asarray(truth_NK, dtype=np.float64)
    if every_score:
        said, true = scores_NK.ravel(), truth_NK.ravel()
    else:
        best_N1 = scores_NK.argmax(axis=1)[:, None]
        said = np.take_along_axis(scores_NK, best_N1, axis=1)[:, 0]
        true = np.take_along_axis(truth_NK, best_N1, axis=1)[:, 0]
    place = np.minimum((said * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights=said - true, minlength=bins)
    return float(np.abs(gap).sum() / len(said))


def cross_entropy(scores_NK: np.ndarray, truth_NK: np.ndarray, binary: bool) -> float:
    """Mean negative log-likelihood of the truth under the scores, without smoothing; scores bounded at 1e-7.

    Args:
        scores_NK: probabilities (N, K).
        truth_NK: 1 for each label of a clip, else 0.
        binary: scores are a probability for each class by itself (sigmoid), and the mean goes over the classes too.

    Returns:
        In nats.
    """
    p = np.clip(scores_NK.astype(np.float64), 1e-7, 1 - 1e-7)
    if binary:
        return float(-(truth_NK * np.log(p) + (1 - truth_NK) * np.log1p(-p)).mean())
    return float(-(truth_NK * np.log(p)).sum(axis=1).mean())


_Compute = Callable[[np.ndarray, np.ndarray, bool], float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of results.json, tables and model cards."""

    title: str
    compute: _Compute
    """From scores (N, K), true labels (N, K), and whether the scores are independent probabilities (sigmoid)."""
    compute_multi_label: _Compute | None = None
    """For multi-label data, if it is another function."""
    multi_label: bool | None = None
    """Whether it is for multi-label data only (true), for exclusive classes only (false), or for both (absent)."""
    hub: str | None = None
    """Identifier on the Hugging Face Hub, for the model card."""
    short: str | None = None
    """Title in tables on the terminal, if different."""
    in_tables: bool = True
    """Whether tables of folds on the terminal show it; others are in results.json and on the page of a run."""


def _of_decisions(metric: Callable[[np.ndarray, np.ndarray], float | None]) -> tuple[_Compute, _Compute]:
    """A metric of decided labels as one of scores: for exclusive classes, and for multi-label data."""
    return (
        lambda scores, truth, _: metric(decisions(scores, False), truth),
        lambda scores, truth, _: metric(decisions(scores, True), truth),
    )


METRICS = {
    "accuracy": Metric(
        "accuracy", lambda scores, truth, _: accuracy(scores, truth.argmax(axis=1)), multi_label=False, hub="accuracy"
    ),
    "balanced_accuracy": Metric(
        "balanced accuracy",
        lambda scores, truth, _: balanced_accuracy(scores, truth.argmax(axis=1)),
        multi_label=False,
        short="balanced",
    ),
    "top3_accuracy": Metric(
        "top-3 accuracy",
        lambda scores, truth, _: top_k_accuracy(scores, truth.argmax(axis=1), 3),
        multi_label=False,
        hub="top_3_accuracy",
        short="top-3",
    ),
    "map": Metric("mAP", lambda scores, truth, _: mean_average_precision(scores, truth), multi_label=True, hub="mAP"),
    "auroc": Metric("AUROC", lambda scores, truth, _: auroc(scores, truth), hub="roc_auc"),
    "f1": Metric(
        "macro F1",
        *_of_decisions(f1),
        hub="f1",
        short="F1",
        in_tables=False,
    ),
    "precision": Metric(
        "macro precision",
        *_of_decisions(precision),
        hub="precision",
        short="precision",
        in_tables=False,
    ),
    "calibration_error": Metric(
        "expected calibration error",
        lambda scores, truth, _: expected_calibration_error(scores, truth, False),
        lambda scores, truth, _: expected_calibration_error(scores, truth, True),
        short="ECE",
        in_tables=False,
    ),
    "loss": Metric("cross-entropy", cross_entropy, short="loss"),
}
"""All metrics, in the order of tables. To add a metric, add its function above and an entry here."""


def names_for(multi_label: bool) -> list[str]:
    """Names of the metrics of a data set."""
    return [name for name, metric in METRICS.items() if metric.multi_label in (None, multi_label)]


def evaluate(scores_NK: np.ndarray, truth_NK: np.ndarray, multi_label: bool, binary: bool) -> Metrics:
    """All metrics of a set of clips.

    Args:
        scores_NK: probabilities (N, K).
        truth_NK: 1 for each label of a clip, else 0.
        multi_label: whether clips may have several labels.
        binary: as in `cross_entropy`.

    Returns:
        Values by their names in results.json; None where the data cannot give one.
    """
    found: Metrics = {}
    for name in names_for(multi_label):
        metric = METRICS[name]
        compute = metric.compute_multi_label if multi_label and metric.compute_multi_label else metric.compute
        found[name] = compute(scores_NK, truth_NK, binary)
    return found


def mean_and_std(rows: list[dict[str, Any]], names: list[str]) -> tuple[Metrics, Metrics]:
    """Mean and sample standard deviation (n - 1) of each metric over the folds; None where a fold has none."""
    mean: Metrics = {}
    std: Metrics = {}
    for name in names:
        values = [row.get(name) for row in rows]
        numbers = [value for value in values if value is not None]
        whole = bool(numbers) and len(numbers) == len(values)
        mean[name] = float(np.mean(numbers)) if whole else None
        std[name] = float(np.std(numbers, ddof=1)) if whole and len(numbers) > 1 else None
    return mean, std
