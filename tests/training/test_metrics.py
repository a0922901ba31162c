"""Metrics by hand, against scikit-learn, and where they do not exist."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    precision_score,
    roc_auc_score,
)

from audiosurvey.training import class_metrics, metrics

SCORES = np.array(
    [[0.7, 0.1, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]], dtype=np.float32
)
TARGET = np.array([0, 1, 3, 3])


def test_accuracy_by_hand():
    assert metrics.accuracy(SCORES, TARGET) == 0.75


def test_top3_by_hand():
    assert metrics.top_k_accuracy(SCORES, TARGET, 3) == 0.75
    assert metrics.top_k_accuracy(SCORES, np.array([0, 1, 2, 3]), 3) == 1.0


def test_top3_below_four_classes_does_not_exist():
    assert metrics.top_k_accuracy(SCORES[:, :3], np.array([0, 1, 2, 2]), 3) is None


def test_equal_scores_count_no_better_than_argmax():
    flat = np.full((4, 4), 0.25, dtype=np.float32)
    assert metrics.top_k_accuracy(flat, np.array([0, 1, 2, 3]), 1) == metrics.accuracy(flat, np.array([0, 1, 2, 3]))


def test_perfect_and_worst():
    truth = np.eye(4, dtype=np.float32)
    assert class_metrics.auroc(truth, truth) == 1.0
    assert class_metrics.auroc(1 - truth, truth) == 0.0
    assert class_metrics.mean_average_precision(truth, truth) == 1.0


def test_auroc_leaves_out_absent_classes():
    truth = np.eye(4, dtype=np.float32)[[0, 1, 0, 1]]
    scores = SCORES
    by_sklearn = np.mean([roc_auc_score(truth[:, k], scores[:, k]) for k in (0, 1)])
    assert class_metrics.auroc(scores, truth) == pytest.approx(by_sklearn)


def test_one_class_only_has_no_auroc():
    truth = np.eye(4, dtype=np.float32)[[0, 0, 0, 0]]
    assert class_metrics.auroc(SCORES, truth) is None
    assert class_metrics.mean_average_precision(SCORES, truth) is None


@given(seed=st.integers(0, 2**16), clips=st.integers(4, 40), classes=st.integers(2, 6))
def test_against_scikit_learn(seed, clips, classes):
    rng = np.random.default_rng(seed)
    scores = rng.random((clips, classes)).astype(np.float32)
    truth = (rng.random((clips, classes)) < 0.4).astype(np.float32)
    usable = [k for k in range(classes) if 0 < truth[:, k].sum() < clips]
    ours = class_metrics.auroc(scores, truth), class_metrics.mean_average_precision(scores, truth)
    if not usable:
        assert ours == (None, None)
        return
    auroc = np.mean([roc_auc_score(truth[:, k], scores[:, k]) for k in usable])
    precision = np.mean([average_precision_score(truth[:, k], scores[:, k]) for k in usable])
    assert ours[0] == pytest.approx(auroc, abs=1e-5)
    assert ours[1] == pytest.approx(precision, abs=1e-5)


def test_confusion_and_recall_by_hand():
    counts = class_metrics.confusion(SCORES, TARGET)
    assert counts.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]]
    assert class_metrics.recall(counts) == [1.0, 1.0, None, 0.5]


def test_cross_entropy_by_hand_and_bounded():
    truth = np.eye(4, dtype=np.float32)[TARGET]
    by_hand = -np.mean(np.log([0.7, 0.5, 0.1, 0.4]))
    assert metrics.cross_entropy(SCORES, truth, binary=False) == pytest.approx(by_hand, rel=1e-6)
    assert np.isfinite(metrics.cross_entropy(1 - truth, truth, binary=False))
    half = np.full((4, 4), 0.5, dtype=np.float32)
    assert metrics.cross_entropy(half, truth, binary=True) == pytest.approx(np.log(2))


def test_names_of_single_and_multi_label():
    truth = np.eye(4, dtype=np.float32)[TARGET]
    both = {"auroc", "f1", "precision", "calibration_error", "loss"}
    single = both | {"accuracy", "balanced_accuracy", "top3_accuracy"}
    assert set(metrics.evaluate(SCORES, truth, False, False)) == single
    assert set(metrics.evaluate(SCORES, truth, True, True)) == both | {"map"}


def test_mean_and_sample_deviation():
    rows = [{"accuracy": 0.5, "auroc": None}, {"accuracy": 0.7, "auroc": 0.9}]
    mean, std = metrics.mean_and_std(rows, ["accuracy", "auroc"])
    assert mean == {"accuracy": pytest.approx(0.6), "auroc": None}
    assert std["accuracy"] == pytest.approx(0.2 / np.sqrt(2))
    assert metrics.mean_and_std(rows[:1], ["accuracy"])[1] == {"accuracy": None}


def test_a_bce_model_that_says_yes_to_everything_scores_badly():
    """Sigmoid scores are judged class by class, also where each clip has one label: a yes to all is no good loss."""
    truth = np.eye(4, dtype=np.float32)[TARGET]
    everything = np.full((4, 4), 0.999, dtype=np.float32)
    metric = metrics.evaluate(everything, truth, False, True)["loss"]
    assert metric is not None
    assert metric > 3


def test_means_over_the_classes_by_hand():
    """Class 0: one of two predictions right, recalled; 1: all right; 2: nowhere; 3: one of two clips recalled."""
    truth = np.eye(4, dtype=np.float32)[TARGET]
    found = metrics.evaluate(SCORES, truth, False, False)
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert found["precision"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert found["f1"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)


def test_always_the_largest_class_has_the_balanced_accuracy_of_chance():
    target = np.array([0] * 90 + [1] * 6 + [2] * 4)
    always = np.tile([0.8, 0.1, 0.1], (100, 1))
    found = metrics.evaluate(always, np.eye(3)[target], False, False)
    assert found["accuracy"] == pytest.approx(0.9)
    assert found["balanced_accuracy"] == pytest.approx(1 / 3)
    # F1 of the largest class is 2 * 90 / 190, that of the others 0.
    assert found["f1"] == pytest.approx(180 / 190 / 3)
    # All are in one bin, with a mean score of 0.8 and 0.9 right.
    assert found["calibration_error"] == pytest.approx(0.1)


def test_several_labels_are_predicted_from_a_half_on():
    """Class 0: right twice; class 1: one false and one missed; class 2 is nowhere."""
    scores = np.array([[0.9, 0.5, 0.4], [0.6, 0.49, 0.1]])
    truth = np.array([[1, 0, 0], [1, 1, 0]])
    found = metrics.evaluate(scores, truth, True, True)
    assert (found["f1"], found["precision"]) == (pytest.approx(1 / 2), pytest.approx(1 / 2))
    # Six scores, each alone in its bin but 0.4 (bin 6) and 0.1: |score - truth| each; 0.49 and 0.5 share bin 7.
    by_hand = (0.1 + abs(0.5 - 0 + 0.49 - 1) + 0.4 + 0.4 + 0.1) / 6
    assert found["calibration_error"] == pytest.approx(by_hand)


def test_a_single_class_of_multi_label_data():
    decided, truth = np.array([[True], [False], [True]]), np.array([[1], [1], [0]])
    assert class_metrics.f1(decided, truth) == pytest.approx(0.5)
    assert class_metrics.f1(~decided & False, truth * 0) is None


@given(seed=st.integers(0, 2**16), clips=st.integers(4, 40), classes=st.integers(2, 6))
def test_decisions_against_scikit_learn(seed, clips, classes):
    rng = np.random.default_rng(seed)
    scores, target = rng.random((clips, classes)), rng.integers(0, classes, clips)
    best, truth = scores.argmax(axis=1), np.eye(classes)[target]
    found = metrics.evaluate(scores, truth, False, False)
    by_sklearn = {"average": "macro", "zero_division": 0}
    assert found["f1"] == pytest.approx(f1_score(target, best, **by_sklearn))
    assert found["precision"] == pytest.approx(precision_score(target, best, **by_sklearn))
    with warnings.catch_warnings():
        # It warns of classes that are predicted but do not occur.
        warnings.simplefilter("ignore", UserWarning)
        assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(target, best))


def test_expected_calibration_error_by_hand():
    # Ten clips said 0.7: right for seven of them is perfect, right for none is 0.7 off.
    said_NK = np.tile([0.7, 0.3], (10, 1))
    right_NK = np.eye(2)[[0] * 7 + [1] * 3]
    assert metrics.expected_calibration_error(said_NK, right_NK, False) == pytest.approx(0)
    assert metrics.expected_calibration_error(said_NK, np.eye(2)[[1] * 10], False) == pytest.approx(0.7)
    # Two bins: four clips at 0.95 of which two are right (gap 0.45), six at 0.55 all right (gap 0.45 the other way).
    said_NK = np.array([[0.95, 0.05]] * 4 + [[0.55, 0.45]] * 6)
    assert metrics.expected_calibration_error(said_NK, np.eye(2)[[0, 0, 1, 1] + [0] * 6], False) == pytest.approx(0.45)
    # For sigmoids every score counts: 1.0 and wrong, 0.0 and right.
    said_NK = np.array([[1.0, 0.0]])
    assert metrics.expected_calibration_error(said_NK, np.array([[0.0, 0.0]]), True) == pytest.approx(0.5)
