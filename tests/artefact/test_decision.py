"""From scores to words: exclusive classes are the best one or `unknown`, several labels each by its threshold."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiosurvey.artefact.decision import UNKNOWN, Thresholds, decide, named_labels, reaches

SCORES = {"dog": 0.5, "cat": 0.3, "rain": 0.2}


@pytest.mark.parametrize(
    ("threshold", "label"),
    [
        (None, "dog"),
        (0.0, "dog"),
        (0.5, "dog"),
        (0.51, UNKNOWN),
        ({}, "dog"),
        ({"cat": 0.1, "rain": 0.1}, "dog"),
        ({"dog": 0.6}, UNKNOWN),
        ({"dog": 0.6, "cat": 0.3, "rain": 0.001}, UNKNOWN),
    ],
)
def test_exclusive_classes_the_best_one_or_unknown(threshold, label):
    assert decide(SCORES, threshold) == [label]


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [
        (None, ["dog"]),
        (0.25, ["dog", "cat"]),
        (0.6, [UNKNOWN]),
        ({"dog": 0.6, "cat": 0.3, "rain": 0.1}, ["cat", "rain"]),
        ({"cat": 0.1}, ["dog", "cat"]),  # 0.5 for a label without a threshold
    ],
)
def test_several_labels_each_by_its_own_threshold(threshold, labels):
    assert decide(SCORES, threshold, multi_label=True) == labels


def test_without_a_threshold_nothing_is_claimed_and_the_ranking_is_given():
    assert named_labels(list(SCORES.items()), None) == tuple(SCORES.items())


def test_a_mean_of_several_windows_has_thresholds_of_its_own():
    own = Thresholds({"dog": 0.4}, {"dog": 0.6})
    assert decide(SCORES, own, windows=1) == ["dog"]
    assert decide(SCORES, own, windows=2) == [UNKNOWN]


def test_nothing_to_choose_from_is_unknown():
    assert decide({}, None) == [UNKNOWN]


def test_a_class_without_a_threshold_of_its_own_needs_none():
    assert reaches("dog", 0.0, {"cat": 0.9})
    assert not reaches("dog", 0.0, {"cat": 0.9}, multi_label=True)
    assert not reaches("dog", 0.49, 0.5)


@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    thresholds=st.dictionaries(st.integers(0, 5).map(str), st.floats(0, 1)),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exclusive_classes_never_give_a_lower_class_nor_two(scores, thresholds):
    ranked = {str(k): scores[k] for k in sorted(range(len(scores)), key=lambda k: -scores[k])}
    (said,) = decide(ranked, thresholds)
    assert said in (next(iter(ranked)), UNKNOWN)
