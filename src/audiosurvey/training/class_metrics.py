"""Metrics of each class, and their means over the classes: pure functions of scores (N, K) and what is true.

A class for which a metric is not defined has None, and does not count in the mean. scikit-learn is imported on use, to
keep the commands quick to start.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

THRESHOLD = 0.5
"""A label of multi-label data is predicted from this score on."""


def decisions(scores_NK: np.ndarray, multi_label: bool) -> np.ndarray:
    """The labels that scores stand for, by rules that nothing was fitted for: the best class, or scores from 0.5 on.

    Args:
        scores_NK: scores (N, K).
        multi_label: whether a clip may have any number of labels.

    Returns:
        bool (N, K).
    """
    if multi_label:
        return scores_NK >= THRESHOLD
    return scores_NK.argmax(axis=1)[:, None] == np.arange(scores_NK.shape[1])


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


def balanced_accuracy(scores_NK: np.ndarray, target_N: np.ndarray) -> float:
    """Recall of each class, mean over the classes that occur: rare classes count as much as frequent ones.

    Args:
        scores_NK: scores (N, K).
        target_N: numbers of the true classes (N).

    Returns:
        From 0 to 1; always the same class scores 1 / K.
    """
    recalls = [value for value in recall(confusion(scores_NK, target_N)) if value is not None]
    return float(np.mean(recalls))


def f1(decided_NK: np.ndarray, truth_NK: np.ndarray) -> float | None:
    """F1 score of each class, mean over the classes that occur or are predicted (macro).

    Args:
        decided_NK: bool (N, K), as from `decisions`.
        truth_NK: 1 for each label of a clip, else 0.

    Returns:
        From 0 to 1; None if no class occurs or is predicted.
    """
    return mean_of(_scores_of_decisions(decided_NK, truth_NK)[1])


def precision(decided_NK: np.ndarray, truth_NK: np.ndarray) -> float | None:
    """Precision of each class, mean over the classes that occur or are predicted (macro); 0 for one never predicted.

    Args:
        decided_NK: bool (N, K), as from `decisions`.
        truth_NK: 1 for each label of a clip, else 0.

    Returns:
        From 0 to 1; None if no class occurs or is predicted.
    """
    return mean_of(_scores_of_decisions(decided_NK, truth_NK)[0])


def auroc(scores_NK: np.ndarray, truth_NK: np.ndarray) -> float | None:
    """Area under the ROC curve, one class against the rest, mean over the classes with both kinds of clips present.

    Args:
        scores_NK: scores (N, K).
        truth_NK: 1 for each label of a clip, else 0.

    Returns:
        From 0 to 1; None if there is no such class.
    """
    return mean_of(aurocs(scores_NK, truth_NK))


def aurocs(scores_NK: np.ndarray, truth_NK: np.ndarray) -> list[float | None]:
    """Area under the ROC curve of each class against the rest.

    Args:
        scores_NK: scores (N, K).
        truth_NK: 1 for each label of a clip, else 0.

    Returns:
        From 0 to 1 for each class; None for a class without clips of both kinds.
    """
    from sklearn.metrics import roc_auc_score

    return _of_classes(roc_auc_score, scores_NK, truth_NK)


def mean_average_precision(scores_NK: np.ndarray, truth_NK: np.ndarray) -> float | None:
    """Average precision of each class, mean over the classes with both kinds of clips present (mAP).

    Args:
        scores_NK: scores (N, K).
        truth_NK: 1 for each label of a clip, else 0.

    Returns:
        From 0 to 1; None if there is no such class.
    """
    return mean_of(average_precisions(scores_NK, truth_NK))


def average_precisions(scores_NK: np.ndarray, truth_NK: np.ndarray) -> list[float | None]:
    """Average precision of each class against the rest.

    Args:
        scores_NK: scores (N, K).
        truth_NK: 1 for each label of a clip, else 0.

    Returns:
        From 0 to 1 for each class; None for a class without clips of both kinds.
    """
    from sklearn.metrics import average_precision_score

    return _of_classes(average_precision_score, scores_NK, truth_NK)


def _of_classes(metric: Callable[..., Any], scores_NK: np.ndarray, truth_NK: np.ndarray) -> list[float | None]:
    both = [0 < truth_NK[:, k].sum() < len(truth_NK) for k in range(truth_NK.shape[1])]
    return [float(metric(truth_NK[:, k], scores_NK[:, k])) if there else None for k, there in enumerate(both)]


def _scores_of_decisions(decided_NK: np.ndarray, truth_NK: np.ndarray) -> tuple[list[float], list[float]]:
    """Precision and F1 of the classes that occur or are predicted."""
    from sklearn.metrics import precision_recall_fscore_support

    truth_NK = truth_NK > 0
    # scikit-learn takes a single column for one of two classes.
    columns = (truth_NK, decided_NK) if truth_NK.shape[1] > 1 else (truth_NK[:, 0], decided_NK[:, 0])
    labels = None if truth_NK.shape[1] > 1 else [True]
    # Its stubs know neither numbers for zero_division nor what average=None returns.
    measure: Any = precision_recall_fscore_support
    found = measure(*columns, labels=labels, average=None, zero_division=0)
    there_K = truth_NK.any(axis=0) | decided_NK.any(axis=0)
    return found[0][there_K].tolist(), found[2][there_K].tolist()


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean of those that are not None; None if all are."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
