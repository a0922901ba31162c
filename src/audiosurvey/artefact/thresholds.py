"""Decision thresholds for each class, chosen on clips that the network was not trained on.

With exclusive classes a threshold applies to the best class only: below it the prediction is probably wrong, and the
sound is labelled `unknown`. With several labels a threshold is the score from which a label is given.
"""

from collections.abc import Sequence

import numpy as np


def choose_thresholds(
    scores_NK: np.ndarray, truth_NK: np.ndarray, labels: Sequence[str], *, multi_label: bool
) -> dict[str, float]:
    """The thresholds that maximise F1, for each class with evidence.

    Exclusive classes: F1 of "score >= threshold" against "the prediction is right", over the clips with this best
    class. Several labels: F1 against "the clip has the label", over all clips. A class that is never predicted, or a
    label without a clip, has no threshold.
    """
    scores_NK, true_NK = scores_NK.astype(np.float64), truth_NK > 0.5
    best_N = scores_NK.argmax(axis=1)
    thresholds: dict[str, float] = {}
    for k, label in enumerate(labels):
        rows_N = np.full(len(best_N), fill_value=True) if multi_label else best_N == k
        if (true_NK[:, k] if multi_label else rows_N).any():
            thresholds[label] = _best_threshold(scores_NK[rows_N, k], true_NK[rows_N, k])
    return thresholds


def _best_threshold(score_N: np.ndarray, true_N: np.ndarray) -> float:
    """The threshold with the largest F1, halfway between the lowest accepted and the highest rejected score.

    Of several equally good ones the highest is taken. If no score is right, all are rejected.
    """
    order = np.argsort(-score_N, kind="stable")
    score_N, true_N = score_N[order], true_N[order]
    if not true_N.any():
        return float((1 + score_N[0]) / 2)
    accepted = np.arange(1, len(score_N) + 1)
    # F1 = 2 TP / (accepted + positives) if the n highest are accepted; equal scores are accepted together.
    f1_N = 2 * np.cumsum(true_N) / (accepted + true_N.sum())
    apart_N = np.append(score_N[:-1] > score_N[1:], True)
    count = int(np.where(apart_N, f1_N, -1).argmax()) + 1
    below = score_N[count] if count < len(score_N) else 0.0
    return float((score_N[count - 1] + below) / 2)
