"""Measures of one model against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss

from audiosurvey.comparison.stats import metrics

RNG = np.random.default_rng(0)
SCORES_SNK = RNG.dirichlet(np.ones(4), size=(2, 90))
TARGET_N = RNG.integers(0, 4, 90)
TRUTH_NK = np.eye(4, dtype=bool)[TARGET_N]


def test_against_scikit_learn():
    correct = metrics.share_correct(SCORES_SNK, TRUTH_NK)
    expected = [balanced_accuracy_score(TARGET_N, scores.argmax(axis=1)) for scores in SCORES_SNK]
    assert metrics.balanced_accuracy(correct, TRUTH_NK) == pytest.approx(np.mean(expected))
    expected = [log_loss(TARGET_N, scores, labels=range(4)) for scores in SCORES_SNK]
    assert metrics.log_loss(SCORES_SNK, TRUTH_NK, False) == pytest.approx(np.mean(expected))


def test_sigmoid_scores_of_exclusive_classes_are_normalised():
    halved = SCORES_SNK * 0.5
    assert metrics.log_loss(halved, TRUTH_NK, False) == pytest.approx(metrics.log_loss(SCORES_SNK, TRUTH_NK, False))
    found = metrics.calibration_error(halved, TRUTH_NK, False)
    assert found == pytest.approx(metrics.calibration_error(SCORES_SNK, TRUTH_NK, False))
    assert np.isfinite(metrics.log_loss(np.zeros((1, 90, 4)), TRUTH_NK, False))


def test_several_labels_have_the_binary_loss():
    truth = RNG.random((90, 4)) < 0.4
    wanted = [
        -np.mean(np.where(truth, np.log(scores.clip(1e-7)), np.log1p(-scores.clip(max=1 - 1e-7))))
        for scores in SCORES_SNK
    ]
    assert metrics.log_loss(SCORES_SNK, truth, True) == pytest.approx(np.mean(wanted))


def test_calibration_error_by_hand():
    # two clips at 0.75, one right: |0.75 - 0.5|
    scores, truth = np.array([[[0.75, 0.25], [0.75, 0.25]]]), np.array([[True, False], [False, True]])
    assert metrics.calibration_error(scores, truth, False) == pytest.approx(0.25)


def test_means_of_folds():
    values = np.array([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=float)
    assert metrics.fold_means(values, np.array([0, 0, 1, 1])).tolist() == [[0.5, 1], [0, 0.5]]
