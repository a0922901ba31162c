"""Events: begin, go on, are joined and left out as the rule says; found by hand."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiosurvey.artefact.temperature import Temperatures
from audiosurvey.prediction.events import Event, EventRule, find_events
from audiosurvey.prediction.stream import WindowScores

LABELS = ["dog", "cat", "rain"]


def windows(*scores: Sequence[float], hop: float = 1.0, length: float = 1.0) -> list[WindowScores]:
    return [WindowScores(n * hop, n * hop + length, np.array(score, np.float32)) for n, score in enumerate(scores)]


def spans(
    found: Sequence[WindowScores], rule: EventRule, labels: Sequence[str] = LABELS
) -> list[tuple[str, float, float]]:
    return [(one.label, one.start_s, one.end_s) for one in find_events(found, labels, rule)]


def series(*dog: float) -> list[WindowScores]:
    return windows(*[(score, 0, 0) for score in dog])


def test_without_thresholds_the_best_label_is_heard_all_the_time():
    found = windows((0.5, 0.3, 0.2), (0.6, 0.3, 0.1), (0.1, 0.7, 0.2), (0.5, 0.3, 0.2))
    assert spans(found, EventRule()) == [("dog", 0, 2), ("cat", 2, 3), ("dog", 3, 4)]


def test_peak_and_mean_are_of_its_own_windows():
    (event,) = find_events(series(0.1, 0.5, 0.9, 0.7, 0.2), LABELS, EventRule(on=0.5))
    assert event == Event("dog", 1, 4, pytest.approx(0.9), pytest.approx(0.7))


def test_hysteresis_begins_at_on_and_ends_below_off():
    found = series(0.4, 0.6, 0.4, 0.31, 0.2, 0.4, 0.7)
    assert spans(found, EventRule(on=0.6)) == [("dog", 1, 2), ("dog", 6, 7)]
    assert spans(found, EventRule(on=0.6, off=0.3)) == [("dog", 1, 4), ("dog", 6, 7)]


def test_an_event_goes_on_while_another_label_is_better():
    found = windows((0.8, 0.1, 0.1), (0.4, 0.6, 0), (0.7, 0.2, 0.1))
    assert spans(found, EventRule(on=0.5)) == [("dog", 0, 1), ("cat", 1, 2), ("dog", 2, 3)]
    assert spans(found, EventRule(on=0.5, off=0.4, multi_label=True)) == [("dog", 0, 3), ("cat", 1, 2)]
    # Exclusive classes: another one that begins ends it, one that is best but not sure enough does not.
    assert spans(found, EventRule(on=0.5, off=0.4)) == [("dog", 0, 1), ("cat", 1, 2), ("dog", 2, 3)]
    assert spans(found, EventRule(on=0.65, off=0.4)) == [("dog", 0, 3)]


def test_only_the_best_labels_begin_events():
    found = windows((0.5, 0.4, 0.1))
    assert spans(found, EventRule(on=0.3)) == [("dog", 0, 1)]
    assert spans(found, EventRule(on=0.3, top=2)) == [("dog", 0, 1)]
    assert spans(found, EventRule(on=0.3, top=1, multi_label=True)) == [("dog", 0, 1)]
    assert spans(found, EventRule(on=0.3, top=2, multi_label=True)) == [("dog", 0, 1), ("cat", 0, 1)]
    everything = [("dog", 0, 1), ("cat", 0, 1), ("rain", 0, 1)]
    assert spans(found, EventRule(on=0.05, multi_label=True)) == everything


def test_each_label_has_its_threshold():
    found = windows((0.6, 0.4, 0.4))
    on = {"dog": 0.7, "cat": 0.4, "rain": 0.41}
    assert spans(found, EventRule(on=on, multi_label=True)) == [("cat", 0, 1)]
    assert spans(found, EventRule(on=on)) == []


def test_scores_are_calibrated_for_the_thresholds():
    (event,) = find_events(windows((0.6, 0.4, 0)), LABELS, EventRule(on=0.65), Temperatures(window=0.5))
    assert event.peak == pytest.approx(0.36 / 0.52)
    assert not list(find_events(windows((0.6, 0.4, 0)), LABELS, EventRule(on=0.65)))


@given(
    scores=st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 3), max_size=12),
    on=st.dictionaries(st.sampled_from(LABELS), st.floats(0, 1)),
    off=st.none() | st.floats(0, 0.3),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exclusive_classes_are_never_heard_at_once(scores, on, off):
    found = list(find_events(windows(*scores), LABELS, EventRule(on=on, off=off)))
    for one, other in itertools.combinations(found, 2):
        assert one.end_s <= other.start_s or other.end_s <= one.start_s


def test_short_gaps_are_closed_before_short_events_are_left_out():
    found = series(0.9, 0, 0.9, 0, 0, 0.9)
    assert spans(found, EventRule(on=0.5)) == [("dog", 0, 1), ("dog", 2, 3), ("dog", 5, 6)]
    assert spans(found, EventRule(on=0.5, min_gap_s=1)) == [("dog", 0, 3), ("dog", 5, 6)]
    assert spans(found, EventRule(on=0.5, min_gap_s=1, min_duration_s=3)) == [("dog", 0, 3)]
    assert spans(found, EventRule(on=0.5, min_gap_s=2)) == [("dog", 0, 6)]
    assert spans(found, EventRule(on=0.5, min_duration_s=1.1)) == []


def test_windows_that_overlap_make_one_event():
    found = windows((0.9, 0, 0), (0.1, 0, 0), (0.9, 0, 0), (0.1, 0, 0), hop=0.5, length=1)
    assert spans(found, EventRule(on=0.5)) == [("dog", 0, 2)]


def test_windows_with_gaps_between_them_are_events_of_their_own():
    found = windows((0.9, 0, 0), (0.9, 0, 0), hop=10, length=1)
    assert spans(found, EventRule(on=0.5)) == [("dog", 0, 1), ("dog", 10, 11)]


def test_an_event_is_given_as_soon_as_it_is_over():
    taken: list[int] = []

    def watched():
        for number, window in enumerate(series(0.9, 0, 0, 0, 0)):
            taken.append(number)
            yield window

    next(find_events(watched(), LABELS, EventRule(on=0.5)))
    assert taken == [0, 1, 2]


def test_events_come_in_the_order_of_their_starts():
    # dog 0 to 4 ends last, cat and rain are over before.
    found = windows((0.9, 0, 0), (0.9, 0, 0.9), (0.9, 0.9, 0), (0.9, 0, 0), (0, 0, 0.9))
    rule = EventRule(on=0.5, multi_label=True)
    assert spans(found, rule) == [("dog", 0, 4), ("rain", 1, 2), ("cat", 2, 3), ("rain", 4, 5)]
    live = [(one.label, one.start_s) for one in find_events(found, LABELS, rule, live=True)]
    assert live == [("rain", 1), ("cat", 2), ("dog", 0), ("rain", 4)]


def test_an_event_waits_only_for_those_that_began_before_it():
    taken: list[int] = []

    def watched():
        for number, window in enumerate(windows((0.9, 0, 0), (0.9, 0.9, 0), (0, 0.9, 0), (0, 0.9, 0), (0, 0, 0))):
            taken.append(number)
            yield window

    assert next(find_events(watched(), LABELS, EventRule(on=0.5, multi_label=True))).label == "dog"
    assert taken == [0, 1, 2, 3]


def test_silence_has_no_events():
    assert spans([], EventRule()) == []
    assert spans(series(0, 0, 0), EventRule(on=0.1)) == []


@given(
    scores=st.lists(st.floats(0, 1, width=32), max_size=30),
    on=st.floats(0.2, 1),
    share=st.floats(0, 1),
    gap=st.floats(0, 3),
)
def test_events_of_a_label_lie_apart_and_hold_their_peaks(scores, on, share, gap):
    found = list(find_events(series(*scores), LABELS, EventRule(on=on, off=share * on, min_gap_s=gap)))
    for before, after in itertools.pairwise(found):
        assert after.start_s - before.end_s > gap
    for event in found:
        inside = scores[int(event.start_s) : int(event.end_s)]
        assert event.peak == pytest.approx(max(inside), abs=1e-6)
        assert event.peak >= on - 1e-6
        assert event.mean <= event.peak + 1e-6
    # Every window that reaches `on` lies in an event.
    for number, score in enumerate(scores):
        if float(np.float32(score)) >= on:
            assert any(event.start_s <= number < event.end_s for event in found)


def test_overlapping_windows_meet_halfway():
    found = windows((0.9, 0.1, 0), (0.9, 0.1, 0), (0.1, 0.9, 0), (0.1, 0.9, 0), length=2.0)
    rule = EventRule(on=0.5, margin_s=0.5)
    assert spans(found, rule) == [("dog", 0.0, 2.5), ("cat", 2.5, 5.0)]
    # A sound of a single window is one stretch.
    assert spans(found[:1], rule) == [("dog", 0.0, 2.0)]
