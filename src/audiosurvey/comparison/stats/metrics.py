"""Measures of one model over all tested clips: balanced accuracy, log loss, calibration error.

Axes: S seeds, N clips, K classes, J folds.
"""

import numpy as np

from audiosurvey.training.class_metrics import mean_average_precision
from audiosurvey.training.metrics import cross_entropy, expected_calibration_error


def share_correct(scores_SNK: np.ndarray, truth_NK: np.ndarray) -> np.ndarray:
    """Correctness (S, N) of clips with one label each: the class with the highest score is the true one."""
    return scores_SNK.argmax(axis=2) == truth_NK.argmax(axis=1)


def fold_means(values_SN: np.ndarray, fold_N: np.ndarray) -> np.ndarray:
    """Means of the clips of each fold (S, J). `fold_N`: indices from 0."""
    counts_J = np.bincount(fold_N)
    return np.stack([np.bincount(fold_N, values_N) / counts_J for values_N in values_SN])


def fold_maps(scores_SNK: np.ndarray, truth_NK: np.ndarray, fold_N: np.ndarray) -> np.ndarray:
    """Mean average precision by seed and fold (S, J); NaN for a fold that has none."""
    sides = [fold_N == fold for fold in range(int(fold_N.max()) + 1)]
    maps = [[mean_average_precision(scores_NK[side], truth_NK[side]) for side in sides] for scores_NK in scores_SNK]
    return np.array([[np.nan if value is None else value for value in row] for row in maps])


def balanced_accuracy(correct_SN: np.ndarray, truth_NK: np.ndarray) -> float:
    """Mean recall of the classes that occur, over the clips of all folds, averaged over the seeds."""
    target_N, correct_N = truth_NK.argmax(axis=1), correct_SN.mean(axis=0)
    counts_K, hits_K = np.bincount(target_N), np.bincount(target_N, correct_N)
    return float((hits_K[counts_K > 0] / counts_K[counts_K > 0]).mean())


def log_loss(scores_SNK: np.ndarray, truth_NK: np.ndarray, multi_label: bool) -> float:
    """Mean negative log-likelihood of the labels, averaged over the seeds; scores bounded at 1e-7.

    With one label per clip, scores are normalised to sum to 1, so that models with sigmoid outputs compare. With
    several labels, it is the mean of the binary losses of the classes.
    """
    losses = [cross_entropy(_shares(scores_NK, multi_label), truth_NK, multi_label) for scores_NK in scores_SNK]
    return float(np.mean(losses))


def calibration_error(scores_SNK: np.ndarray, truth_NK: np.ndarray, multi_label: bool) -> float:
    """Expected calibration error over the clips of all folds, averaged over the seeds; scores as in `log_loss`."""
    errors = [
        expected_calibration_error(_shares(scores_NK, multi_label), truth_NK, multi_label) for scores_NK in scores_SNK
    ]
    return float(np.mean(errors))


def _shares(scores_NK: np.ndarray, multi_label: bool) -> np.ndarray:
    total_N1 = scores_NK.sum(axis=1, keepdims=True)
    return scores_NK if multi_label else scores_NK / np.where(total_N1 == 0, 1, total_N1)
