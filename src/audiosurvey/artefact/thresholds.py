"""Thresholds of scores, chosen on clips that the network was not trained on: one for each class.

With exclusive classes a threshold is about the best class alone: below it the answer is rather wrong, and the sound is
called `unknown`. Where a clip may have several labels, a threshold says from which score on a label is given.
"""

from collections.abc import Sequence

import numpy as np


def choose_thresholds(
    scores_NK: np.ndarray, truth_NK: np.ndarray, labels: Sequence[str], *, multi_label: bool
) -> dict[str, float]:
    """The thresholds of the classes that these clips say something about."""
    choose = _of_labels if multi_label else _of_best_classes
    return choose(scores_NK.astype(np.float64), truth_NK > 0.5, labels)


def _of_best_classes(scores_NK: np.ndarray, truth_NK: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """Exclusive classes: of the clips whose best class this is, the right answers are told from the wrong ones.

    Best is the largest F1 of "score >= threshold" against "the answer is right". A class that is best for no clip has
    no threshold.
    """
    best_N = scores_NK.argmax(axis=1)
    return {
        label: _best_threshold(scores_NK[best_N == k, k], truth_NK[best_N == k, k])
        for k, label in enumerate(labels)
        if (best_N == k).any()
    }


def _of_labels(scores_NK: np.ndarray, truth_NK: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """Several labels a clip: the largest F1 of "score >= threshold" against "the clip has the label".

    A label without a clip has no threshold.
    """
    return {
        label: _best_threshold(scores_NK[:, k], truth_NK[:, k])
        for k, label in enumerate(labels)
        if truth_NK[:, k].any()
    }


def _best_threshold(score_N: np.ndarray, true_N: np.ndarray) -> float:
    """The threshold with the largest F1, half way between the lowest score accepted and the highest rejected.

    Of several equally good ones the highest is taken, which rejects most: where no answer was right, one above all.
    """
    order = np.argsort(-score_N, kind="stable")
    score_N, true_N = score_N[order], true_N[order]
    if not true_N.any():
        return float((1 + score_N[0]) / 2)
    accepted = np.arange(1, len(score_N) + 1)
    # F1 = 2 TP / (accepted + positives), where the n highest are accepted; equal scores are accepted together.
    f1_N = 2 * np.cumsum(true_N) / (accepted + true_N.sum())
    apart_N = np.append(score_N[:-1] > score_N[1:], True)
    count = int(np.where(apart_N, f1_N, -1).argmax()) + 1
    below = score_N[count] if count < len(score_N) else 0.0
    return float((score_N[count - 1] + below) / 2)
