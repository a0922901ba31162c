"""Metrics as pure functions of scores: (N, K) probabilities and what was true.

A metric that the data cannot give (AUROC where only one class occurs, top-3 of three classes) is None, never a
number that looks like one. scikit-learn is imported on use, to keep the other commands quick to start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Metrics = dict[str, float | None]


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


def auroc(scores_NK: np.ndarray, truth_NK: np.ndarray) -> float | None:
    """Area under the ROC curve, one class against the rest, mean over the classes with both kinds of clips present.

    Args:
        scores_NK: scores (N, K).
        truth_NK: 1 for each label of a clip, else 0.

    Returns:
        From 0 to 1; None if there is no such class.
    """
    from sklearn.metrics import roc_auc_score

    return _macro(roc_auc_score, scores_NK, truth_NK)


def mean_average_precision(scores_NK: np.ndarray, truth_NK: np.ndarray) -> float | None:
    """Average precision of each class, mean over the classes with both kinds of clips present (mAP).

    Args:
        scores_NK: scores (N, K).
        truth_NK: 1 for each label of a clip, else 0.

    Returns:
        From 0 to 1; None if there is no such class.
    """
    from sklearn.metrics import average_precision_score

    return _macro(average_precision_score, scores_NK, truth_NK)


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


def confusion(scores_NK: np.ndarray, target_N: np.ndarray) -> np.ndarray:
    """The confusion matrix.

    Args:
        scores_NK: scores (N, K).
        target_N: numbers of the true classes (N).

    Returns:
        Counts (K, K): row the true class, column the one that scored highest.
    """
    classes = scores_NK.shape[1]
    pairs = target_N * classes + scores_NK.argmax(axis=1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def recall(confusion_KK: np.ndarray) -> list[float | None]:
    """Share of the clips of each class that were recognised.

    Args:
        confusion_KK: as from `confusion`.

    Returns:
        From 0 to 1 for each class; None for a class without clips.
    """
    totals = confusion_KK.sum(axis=1)
    hits = confusion_KK.diagonal()
    return [float(hit / total) if total else None for hit, total in zip(hits, totals, strict=True)]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of results.json, tables and model cards."""

    title: str
    compute: Callable[[np.ndarray, np.ndarray, bool], float | None]
    """From scores (N, K), true labels (N, K), and whether the scores are independent probabilities (sigmoid)."""
    multi_label: bool | None = None
    """Whether it is for multi-label data only (true), for exclusive classes only (false), or for both (absent)."""
    hub: str | None = None
    """Identifier on the Hugging Face Hub, for the model card."""
    short: str | None = None
    """Title in tables on the terminal, if different."""


METRICS = {
    "accuracy": Metric(
        "accuracy", lambda scores, truth, _: accuracy(scores, truth.argmax(axis=1)), multi_label=False, hub="accuracy"
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
    return {name: METRICS[name].compute(scores_NK, truth_NK, binary) for name in names_for(multi_label)}


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


def _macro(metric: Callable[..., Any], scores_NK: np.ndarray, truth_NK: np.ndarray) -> float | None:
    present = [k for k in range(truth_NK.shape[1]) if 0 < truth_NK[:, k].sum() < len(truth_NK)]
    values = [float(metric(truth_NK[:, k], scores_NK[:, k])) for k in present]
    return sum(values) / len(values) if values else None
