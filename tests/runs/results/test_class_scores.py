"""Scores of each class by hand, over folds, and what they say of uneven classes."""

import numpy as np
import pytest

from audiosurvey.runs.results.class_scores import (
    ClassScores,
    classes_of_confusion,
    is_uneven,
    largest_class,
    measure_classes,
    never_recognised,
    pooled_classes,
    worst_first,
)

CLASSES = ("a", "b", "c")
TARGET = np.array([0, 0, 0, 1, 1])
SCORES = np.array([[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.2, 0.7, 0.1], [0.3, 0.6, 0.1], [0.6, 0.3, 0.1]])


def test_by_hand():
    """a: two of three found, and one b taken for it; b: one of two found, and one a taken for it; c is nowhere."""
    found = measure_classes(SCORES, np.eye(3)[TARGET], CLASSES, multi_label=False)
    a, b, c = (found[name] for name in CLASSES)
    assert (a.clips, a.predicted, a.right) == (3, 3, 2)
    assert (a.recall, a.precision, a.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (b.recall, b.precision, b.f1) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert (c.clips, c.recall, c.precision, c.f1, c.average_precision, c.auroc) == (0, None, None, None, None, None)
    # Of the six pairs of an a and a b, a has the higher score for a in (0.8, 0.5) over 0.3, and 0.8 over 0.6.
    assert a.auroc == pytest.approx(3 / 6)
    # By falling score of a: right, wrong, right, wrong, right.
    assert a.average_precision == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)


def test_several_labels_from_a_half_on():
    truth = np.array([[1, 1, 0], [0, 1, 0]])
    found = measure_classes(np.array([[0.5, 0.2, 0.9], [0.4, 0.6, 0.1]]), truth, CLASSES, multi_label=True)
    assert [(one.clips, one.predicted, one.right) for one in found.values()] == [(1, 1, 1), (2, 1, 1), (0, 1, 0)]
    assert found["c"].precision == 0.0


def test_folds_are_pooled_by_their_counts_and_ranks_by_their_means():
    first = {"a": ClassScores.of(10, 8, 8, 0.9, None)}
    second = {"a": ClassScores.of(10, 4, 0, 0.5, 0.6)}
    pooled = pooled_classes([first, second])["a"]
    assert (pooled.recall, pooled.precision, pooled.f1) == pytest.approx((8 / 20, 8 / 12, 16 / 32))
    assert (pooled.average_precision, pooled.auroc) == pytest.approx((0.7, 0.6))
    assert pooled_classes([]) == {}


def test_a_confusion_matrix_gives_the_same_counts():
    by_scores = measure_classes(SCORES, np.eye(3)[TARGET], CLASSES, multi_label=False)
    by_counts = classes_of_confusion([[2, 1, 0], [1, 1, 0], [0, 0, 0]], CLASSES)
    for name in CLASSES:
        one, other = by_scores[name], by_counts[name]
        assert (one.clips, one.recall, one.precision, one.f1) == (other.clips, other.recall, other.precision, other.f1)
        assert other.auroc is None


def test_the_worst_class_is_first_and_one_without_clips_last():
    found = {"none": ClassScores.of(0, 0, 0), "good": ClassScores.of(5, 5, 5), "bad": ClassScores.of(5, 5, 1)}
    assert [name for name, _ in worst_first(found, multi_label=False)] == ["bad", "good", "none"]
    ranked = {"x": ClassScores.of(5, 5, 5, 0.3), "y": ClassScores.of(5, 5, 1, 0.9)}
    assert [name for name, _ in worst_first(ranked, multi_label=True)] == ["x", "y"]


@pytest.mark.parametrize(
    ("sizes", "uneven"), [((30, 20), False), ((31, 20), True), ((30, 20, 0), False), ((5,), False)]
)
def test_uneven_above_one_and_a_half_times(sizes: tuple[int, ...], uneven: bool):
    assert is_uneven({str(at): ClassScores.of(size, 0, 0) for at, size in enumerate(sizes)}) == uneven


def test_the_largest_class_and_those_never_recognised():
    found = {"a": ClassScores.of(382, 457, 382), "b": ClassScores.of(75, 0, 0), "c": ClassScores.of(0, 0, 0)}
    assert largest_class(found) == ("a", pytest.approx(0.8359, abs=1e-4))
    assert never_recognised(found) == ["b"]
