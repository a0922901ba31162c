"""Thresholds: by hand and by trying all; with exclusive classes they are about the best class alone."""

import numpy as np
import pytest

from audiosurvey.artefact.thresholds import choose_thresholds


@pytest.mark.parametrize(
    ("scores", "true", "threshold"),
    [
        ([0.9, 0.6, 0.5, 0.1], [1, 1, 0, 0], 0.55),  # apart: in the middle of the gap
        ([0.9, 0.6, 0.4, 0.1], [1, 0, 1, 0], 0.25),  # F1 of 1, 2, 3, 4 accepted: 2/3, 1/2, 4/5, 2/3
        ([0.8, 0.5, 0.5, 0.2], [1, 1, 0, 0], 0.35),  # equal scores are accepted together: 2/3, -, 4/5, 2/3
        ([0.8, 0.4], [1, 1], 0.2),  # nothing to reject: half of the lowest
    ],
)
def test_thresholds_by_hand(scores, true, threshold):
    for order in (slice(None), slice(None, None, -1)):
        column, truth = np.array(scores)[order, None], np.array(true)[order, None]
        assert choose_thresholds(column, truth, ["dog"], multi_label=True)["dog"] == pytest.approx(threshold)


def test_no_threshold_has_a_larger_f1():
    rng = np.random.default_rng(4)
    for _ in range(20):
        score_N = rng.random(40).round(2)
        true_N = rng.random(40) < 0.2 + 0.6 * score_N

        def f1(threshold: float, score_N=score_N, true_N=true_N) -> float:
            accepted_N = score_N >= threshold
            return 2 * (accepted_N & true_N).sum() / (accepted_N.sum() + true_N.sum())

        chosen = choose_thresholds(score_N[:, None], true_N[:, None], ["dog"], multi_label=True)["dog"]
        assert f1(chosen) == max(f1(t) for t in np.linspace(0, 1, 1001))


def test_a_class_without_clips_has_no_threshold():
    scores_NK = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    assert set(choose_thresholds(scores_NK, np.eye(3)[[0, 1]], ["a", "b", "c"], multi_label=True)) == {"a", "b"}


def of_best(scores: list[list[float]], truth: list[int], labels: str = "abc") -> dict[str, float]:
    return choose_thresholds(np.array(scores), np.eye(len(labels))[truth], list(labels), multi_label=False)


def test_exclusive_classes_by_hand():
    found = of_best(
        [[0.9, 0.1, 0], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.8, 0], [0.1, 0.5, 0.4]],
        [0, 0, 1, 1, 1],
    )
    # a: right at 0.9 and 0.7, wrong at 0.6. b: right at 0.8 and 0.5, nothing to reject. c is best nowhere.
    assert found == {"a": pytest.approx(0.65), "b": pytest.approx(0.25)}


def test_a_class_that_is_never_the_best_has_no_threshold_however_many_clips_it_has():
    # As a class of few clips beside two large ones: 0.02 would be the best cut between its scores and the others'.
    found = of_best([[0.6, 0.37, 0.03]] * 9 + [[0.7, 0.29, 0.01]] * 80, [2] * 9 + [0] * 80)
    assert set(found) == {"a"}
    assert found["a"] == pytest.approx(0.65)


def test_a_class_whose_answers_were_all_wrong_rejects_them():
    assert of_best([[0.9, 0.1, 0], [0.8, 0.2, 0]], [1, 1]) == {"a": pytest.approx(0.95)}


def test_no_threshold_of_the_best_class_has_a_larger_f1():
    rng = np.random.default_rng(8)
    for _ in range(20):
        scores_NK = rng.dirichlet([1, 1, 1], 60).round(2)
        truth = np.array([rng.choice(3, p=(row + 0.2) / (row + 0.2).sum()) for row in scores_NK])
        best = scores_NK.argmax(axis=1)
        for k, threshold in enumerate(of_best(scores_NK.tolist(), truth.tolist()).values()):
            score_N, right_N = scores_NK[best == k, k], truth[best == k] == k

            def f1(threshold: float, score_N=score_N, right_N=right_N) -> float:
                accepted_N = score_N >= threshold
                return 2 * (accepted_N & right_N).sum() / max(1, accepted_N.sum() + right_N.sum())

            assert f1(threshold) == max(f1(t) for t in np.linspace(0, 1, 201))
