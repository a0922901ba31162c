"""From scores to a word: the best label that is sure enough, or `unknown`."""

import pytest

from audiosurvey.deploy.decision import UNKNOWN, decide, reaches

SCORES = {"dog": 0.5, "cat": 0.3, "rain": 0.2}


@pytest.mark.parametrize(
    ("threshold", "label"),
    [
        (None, "dog"),
        (0.0, "dog"),
        (0.5, "dog"),
        (0.51, UNKNOWN),
        ({}, "dog"),
        ({"dog": 0.6}, "cat"),
        ({"dog": 0.6, "cat": 0.3}, "cat"),
        ({"dog": 0.6, "cat": 0.31, "rain": 0.9}, UNKNOWN),
    ],
)
def test_the_best_label_that_reaches_its_threshold(threshold, label):
    assert decide(SCORES, threshold) == label


def test_the_order_of_the_scores_is_no_matter():
    assert decide(dict(reversed(SCORES.items())), 0.1) == "dog"


def test_nothing_to_choose_from_is_unknown():
    assert decide({}, None) == UNKNOWN


def test_a_label_without_a_threshold_of_its_own_needs_none():
    assert reaches("dog", 0.0, {"cat": 0.9})
    assert not reaches("dog", 0.49, 0.5)
