"""Pairs of classes that are mixed up, counted by hand."""

import numpy as np
import pytest

from audiosurvey.runs.results.mixed_up import missed_with_false, mixed_up
from audiosurvey.runs.results.run_predictions import RunPredictions

CLASSES = ("cat", "dog", "owl")


def predictions(truth: list[list[int]], scores: list[list[float]], *, multi_label: bool = False) -> RunPredictions:
    clips = tuple(f"clip{at}" for at in range(len(truth)))
    true_NK, scores_NK = np.array(truth) > 0, np.array(scores)
    return RunPredictions(clips, (None,) * len(clips), (1,) * len(clips), CLASSES, true_NK, scores_NK, multi_label)


CAT, DOG, OWL = [1, 0, 0], [0, 1, 0], [0, 0, 1]


def test_one_label_a_clip():
    """Of four cats one is a dog and two are owls, with a higher score in the second; the only dog is an owl."""
    found = predictions(
        [CAT, CAT, CAT, CAT, DOG, OWL],
        [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.1, 0.7], [0, 0.1, 0.9], [0.1, 0.3, 0.6], [0, 0, 1]],
    )
    pairs = mixed_up(found)
    assert [(one.label, one.predicted, one.clips, one.share) for one in pairs] == [
        ("cat", "owl", 2, 0.5),
        # As many clips, but all of the class.
        ("dog", "owl", 1, 1.0),
        ("cat", "dog", 1, 0.25),
    ]
    assert pairs[0].examples == ["clip3", "clip2"]
    assert missed_with_false(found).tolist() == [[0, 1, 2], [0, 0, 1], [0, 0, 0]]


def test_several_labels_pair_every_missed_one_with_every_false_one():
    found = predictions(
        [[1, 1, 0], [1, 0, 0], [0, 1, 0]],
        [[0.2, 0.4, 0.9], [0.1, 0.2, 0.3], [0.6, 0.7, 0.1]],
        multi_label=True,
    )
    # The first clip misses cat and dog, and has a false owl; the second misses cat for nothing; the third misses none.
    assert [(one.label, one.predicted, one.clips, one.examples) for one in mixed_up(found)] == [
        ("cat", "owl", 1, ["clip0"]),
        ("dog", "owl", 1, ["clip0"]),
    ]


def test_without_mistakes_nothing_is_mixed_up():
    assert mixed_up(predictions([CAT, DOG], [[1, 0, 0], [0, 1, 0]])) == []


def test_examples_are_at_most_three_with_the_highest_wrong_scores():
    scores = [[0.1, 0.5 + at / 100, 0.1] for at in range(5)]
    assert mixed_up(predictions([CAT] * 5, scores))[0].examples == ["clip4", "clip3", "clip2"]


@pytest.mark.parametrize("multi_label", [False, True])
def test_it_is_the_confusion_matrix_without_its_diagonal(multi_label: bool):
    rng = np.random.default_rng(0)
    target, best = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    found = predictions(np.eye(3)[target].tolist(), np.eye(3)[best].tolist(), multi_label=multi_label)
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (target, best), 1)
    np.fill_diagonal(counts, 0)
    assert missed_with_false(found).tolist() == counts.tolist()
