"""What is made of scores: best labels, unknown, events, failures; one answer for a whole sound."""

import numpy as np
import pytest

from audiosurvey.artefact.decision import Thresholds
from audiosurvey.artefact.temperature import Temperatures
from audiosurvey.prediction.events import EventRule
from audiosurvey.prediction.postprocessing import FailedSound, Postprocessing, Prediction, make_predictions
from audiosurvey.prediction.smoothing import Smoothing
from audiosurvey.prediction.stream import WindowScores
from audiosurvey.prediction.window_scoring import WindowGroup

LABELS = ["dog", "cat", "rain"]


def window(start_s: float, *score: float) -> WindowScores:
    return WindowScores(start_s, start_s + 1, np.array(score, np.float32))


def said(portions: list[WindowGroup], wording: Postprocessing) -> list[Prediction | FailedSound]:
    return list(make_predictions(portions, ["a", "b"], LABELS, wording))


def labels(found: list[Prediction | FailedSound]) -> list[list[str]]:
    return [[label for label, _ in one.labels] for one in found if isinstance(one, Prediction)]


def test_the_best_labels_in_order_and_no_more_than_asked_for():
    whole = [WindowGroup(0, True, [window(0, 0.2, 0.7, 0.1)], True)]
    assert labels(said(whole, Postprocessing(top=2))) == [["cat", "dog"]]
    assert labels(said(whole, Postprocessing(top=9))) == [["cat", "dog", "rain"]]


def test_what_no_label_explains_is_unknown_with_the_highest_score_there_was():
    whole = [WindowGroup(0, True, [window(0, 0.2, 0.7, 0.1)], True)]
    assert labels(said(whole, Postprocessing(top=3, threshold=0.15, multi_label=True))) == [["cat", "dog"]]
    (one,) = said(whole, Postprocessing(top=3, threshold=0.8))
    assert isinstance(one, Prediction)
    assert one.labels == (("unknown", pytest.approx(0.7)),)
    assert labels(said(whole, Postprocessing(threshold={"cat": 0.75, "dog": 0.1}, multi_label=True))) == [["dog"]]


@pytest.mark.parametrize("top", [1, 3])
def test_of_exclusive_classes_a_threshold_leaves_the_best_one_or_unknown(top: int):
    whole = [WindowGroup(0, True, [window(0, 0.2, 0.7, 0.1)], True)]
    own = {"dog": 0.01, "rain": 0.01}
    assert labels(said(whole, Postprocessing(top=top, threshold=0.15))) == [["cat"]]
    assert labels(said(whole, Postprocessing(top=top, threshold=own | {"cat": 0.75}))) == [["unknown"]]
    assert labels(said(whole, Postprocessing(top=top, threshold=own | {"cat": 0.65}))) == [["cat"]]


def test_scores_are_calibrated_after_the_mean_by_the_temperature_of_their_kind():
    # Sure of dog once, of cat twice by a little: the mean is for dog, the mean of sharpened scores for cat.
    portions = [WindowGroup(0, True, [window(0, 0.98, 0.02, 0), window(1, 0.3, 0.7, 0), window(2, 0.3, 0.7, 0)], True)]
    by = Temperatures(window=0.25, sound=0.5)
    (one,) = said(portions, Postprocessing(top=2, temperatures=by))
    assert isinstance(one, Prediction)
    odds = (0.98 + 0.6) / (0.02 + 1.4)
    assert one.labels[0] == ("dog", pytest.approx(odds**2 / (odds**2 + 1), abs=1e-6))
    alone = [WindowGroup(0, True, [window(0, 0.6, 0.4, 0)], True)]
    (one,) = said(alone, Postprocessing(temperatures=by))
    assert isinstance(one, Prediction)
    assert one.labels[0] == ("dog", pytest.approx(0.6**4 / (0.6**4 + 0.4**4), abs=1e-6))


def test_a_window_of_several_windows_of_the_model_counts_as_a_mean():
    long = [WindowGroup(0, False, [WindowScores(0, 3, np.array([0.6, 0.4, 0], np.float32), windows=3)], True)]
    own = Thresholds({"dog": 0.0}, {"dog": 0.7})
    assert labels(said(long, Postprocessing(threshold=own, temperatures=Temperatures(window=0.1)))) == [["unknown"]]
    assert labels(said(long, Postprocessing(threshold=own, temperatures=Temperatures(sound=0.1)))) == [["dog"]]


def test_smoothed_scores_are_means_too():
    portions = [WindowGroup(0, False, [window(0, 0.6, 0.4, 0), window(1, 0.6, 0.4, 0)], True)]
    own = Thresholds({"dog": 1.0}, {"dog": 0.5})
    assert labels(said(portions, Postprocessing(threshold=own))) == [["unknown"]] * 2
    assert labels(said(portions, Postprocessing(threshold=own, smoothing=Smoothing(3)))) == [["dog"]] * 2


def test_a_whole_sound_in_portions_is_the_mean_of_its_windows():
    portions = [WindowGroup(0, True, [window(0, 1, 0, 0), window(1, 0, 1, 0)], False)]
    portions += [WindowGroup(0, True, [window(2, 0, 1, 0)], False), WindowGroup(0, True, [], True)]
    (one,) = said(portions, Postprocessing(top=2))
    assert isinstance(one, Prediction)
    assert (one.start_s, one.end_s, one.whole) == (0, 3, True)
    assert one.labels == (("cat", pytest.approx(2 / 3)), ("dog", pytest.approx(1 / 3)))


def test_a_whole_sound_that_fails_has_no_answer_and_windows_before_a_fault_have():
    for whole, starts in ((True, []), (False, [0, 1])):
        portions = [WindowGroup(0, whole, [window(0, 1, 0, 0), window(1, 1, 0, 0)], False)]
        portions += [
            WindowGroup(0, whole, [], True, "truncated"),
            WindowGroup(1, whole, [window(0, 1, 0, 0)], True),
        ]
        *before, failure, after = said(portions, Postprocessing())
        assert [one.start_s for one in before if isinstance(one, Prediction)] == starts
        assert failure == FailedSound("a", "truncated")
        assert isinstance(after, Prediction)
        assert after.name == "b"


def test_smoothing_is_within_a_sound_and_of_windows_alone():
    portions = [WindowGroup(0, False, [window(0, 1, 0, 0), window(1, 0, 1, 0), window(2, 1, 0, 0)], True)]
    portions += [WindowGroup(1, False, [window(0, 0, 0, 1)], True)]
    smooth = Postprocessing(smoothing=Smoothing(3, "median"))
    assert labels(said(portions, smooth))[1:] == [["dog"], ["dog"], ["rain"]]


def test_windows_joined_to_events():
    portions = [WindowGroup(0, False, [window(0, 0.9, 0.1, 0), window(1, 0.7, 0.3, 0)], False)]
    portions += [WindowGroup(0, False, [window(2, 0, 1, 0)], True)]
    dog, cat = said(portions, Postprocessing(events=EventRule()))
    assert isinstance(dog, Prediction)
    assert isinstance(cat, Prediction)
    assert (dog.labels, dog.end_s, dog.mean) == ((("dog", pytest.approx(0.9)),), 2, pytest.approx(0.8))
    assert (cat.start_s, cat.end_s) == (2, 3)
