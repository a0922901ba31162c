"""Metrics by hand, against scikit-learn, and where they do not exist."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from audiosurvey.training import metrics

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
    assert metrics.auroc(truth, truth) == 1.0
    assert metrics.auroc(1 - truth, truth) == 0.0
    assert metrics.mean_average_precision(truth, truth) == 1.0


def test_auroc_leaves_out_absent_classes():
    truth = np.eye(4, dtype=np.float32)[[0, 1, 0, 1]]
    scores = SCORES
    by_sklearn = np.mean([roc_auc_score(truth[:, k], scores[:, k]) for k in (0, 1)])
    assert metrics.auroc(scores, truth) == pytest.approx(by_sklearn)


def test_one_class_only_has_no_auroc():
    truth = np.eye(4, dtype=np.float32)[[0, 0, 0, 0]]
    assert metrics.auroc(SCORES, truth) is None
    assert metrics.mean_average_precision(SCORES, truth) is None


@given(seed=st.integers(0, 2**16), clips=st.integers(4, 40), classes=st.integers(2, 6))
def test_against_scikit_learn(seed, clips, classes):
    rng = np.random.default_rng(seed)
    scores = rng.random((clips, classes)).astype(np.float32)
    truth = (rng.random((clips, classes)) < 0.4).astype(np.float32)
    usable = [k for k in range(classes) if 0 < truth[:, k].sum() < clips]
    ours = metrics.auroc(scores, truth), metrics.mean_average_precision(scores, truth)
    if not usable:
        assert ours == (None, None)
        return
    auroc = np.mean([roc_auc_score(truth[:, k], scores[:, k]) for k in usable])
    precision = np.mean([average_precision_score(truth[:, k], scores[:, k]) for k in usable])
    assert ours[0] == pytest.approx(auroc, abs=1e-5)
    assert ours[1] == pytest.approx(precision, abs=1e-5)


def test_confusion_and_recall_by_hand():
    counts = metrics.confusion(SCORES, TARGET)
    assert counts.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]]
    assert metrics.recall(counts) == [1.0, 1.0, None, 0.5]


def test_cross_entropy_by_hand_and_bounded():
    truth = np.eye(4, dtype=np.float32)[TARGET]
    by_hand = -np.mean(np.log([0.7, 0.5, 0.1, 0.4]))
    assert metrics.cross_entropy(SCORES, truth, binary=False) == pytest.approx(by_hand, rel=1e-6)
    assert np.isfinite(metrics.cross_entropy(1 - truth, truth, binary=False))
    half = np.full((4, 4), 0.5, dtype=np.float32)
    assert metrics.cross_entropy(half, truth, binary=True) == pytest.approx(np.log(2))


def test_names_of_single_and_multi_label():
    truth = np.eye(4, dtype=np.float32)[TARGET]
    assert set(metrics.evaluate(SCORES, truth, False, False)) == {"accuracy", "top3_accuracy", "auroc", "loss"}
    assert set(metrics.evaluate(SCORES, truth, True, True)) == {"map", "auroc", "loss"}


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
