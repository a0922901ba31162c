"""Windows of a recording and their labels, against a computation in exact fractions over all pairs."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.data.annotations.windowing import LabelledWindow, WindowsConfig, label_windows

RATE = 8000


def windows(
    frames: int, *events: Annotation, rate: int = RATE, name: str = "a.wav", **how: float
) -> list[LabelledWindow]:
    return label_windows(name, events, frames, rate, WindowsConfig.model_validate(how))


def test_windows_follow_each_other_and_the_last_one_ends_with_the_recording():
    found = windows(20000, seconds=1)
    assert [(window.begin, window.end) for window in found] == [(0, 8000), (8000, 16000), (12000, 20000)]
    assert [window.begin for window in windows(20000, seconds=1, hop=0.5)] == [0, 4000, 8000, 12000]
    assert [(window.begin, window.end) for window in windows(16000, seconds=1)] == [(0, 8000), (8000, 16000)]


def test_a_short_recording_is_one_window():
    assert windows(3000, Annotation("owl", 0.1, 0.2), seconds=1) == [LabelledWindow(0, 3000, ("owl",))]


def test_the_shorter_of_event_and_window_decides():
    click, song = Annotation("click", 0.9, 1.1), Annotation("song", 0.6, 3.4)
    found = {window.begin: window.labels for window in windows(32000, click, song, seconds=1)}
    # Half of the click is in each window; 0.4 s of the song are in the first and in the last one.
    assert found == {0: ("click",), 8000: ("click", "song"), 16000: ("song",), 24000: ()}
    wider = windows(32000, click, song, seconds=1, min_overlap=0.4)
    assert [window.labels for window in wider] == [("click", "song"), ("click", "song"), ("song",), ("song",)]
    whole = windows(32000, click, song, seconds=1, min_overlap=1)
    assert [window.labels for window in whole] == [(), ("song",), ("song",), ()]


def test_touching_is_no_overlap():
    found = windows(16000, Annotation("owl", 1, 2), seconds=1, min_overlap=1e-9)
    assert [window.labels for window in found] == [(), ("owl",)]


def test_tenths_of_a_second_are_tenths():
    # In binary, three tenths are less than 0.1 + 0.2.
    found = windows(3 * 4410, Annotation("a", 0.15, 0.25), rate=44100, seconds=0.1)
    assert [window.labels for window in found] == [(), ("a",), ("a",)]
    assert {window.end - window.begin for window in found} == {4410}


def test_a_share_of_the_windows_without_labels_is_kept():
    owl = Annotation("owl", 500, 510)
    every = windows(1000 * RATE, owl, seconds=1)
    some = windows(1000 * RATE, owl, seconds=1, negatives=0.3)
    assert sum(bool(window.labels) for window in some) == 10
    assert 0.25 < (len(some) - 10) / 990 < 0.35
    assert set(some) < set(every)
    assert windows(1000 * RATE, owl, seconds=1, negatives=0.3) == some
    assert windows(1000 * RATE, owl, seconds=1, negatives=0.3, name="b.wav") != some
    assert [window.labels for window in windows(1000 * RATE, owl, seconds=1, negatives=0)] == [("owl",)] * 10


def test_another_event_changes_no_other_window():
    more = set(windows(1000 * RATE, Annotation("owl", 500, 510), seconds=1, negatives=0.3))
    none = set(windows(1000 * RATE, seconds=1, negatives=0.3))
    assert {window.begin // RATE for window in more ^ none} <= set(range(500, 510))


milliseconds = st.integers(1, 4000).map(lambda ms: ms / 1000)
events = st.builds(
    lambda label, start_ms, length_ms: Annotation(label, start_ms / 1000, (start_ms + length_ms) / 1000),
    st.sampled_from("abc"),
    st.integers(0, 9000),
    st.integers(1, 5000),
)


@given(
    st.lists(events, max_size=6),
    st.integers(1, 90_000),
    st.sampled_from((8000, 11025, 44100)),
    milliseconds,
    milliseconds.filter(lambda hop: hop >= 0.05),
    st.integers(1, 10).map(lambda tenths: tenths / 10),
)
def test_any_recording(
    events: list[Annotation], frames: int, rate: int, seconds: float, hop: float, min_overlap: float
):
    found = label_windows("a", events, frames, rate, WindowsConfig(seconds=seconds, hop=hop, min_overlap=min_overlap))
    total, window, step = Fraction(frames, rate), Fraction(str(seconds)), Fraction(str(hop))
    starts = [Fraction(0)]
    while starts[-1] + step + window <= total:
        starts.append(starts[-1] + step)
    if starts[-1] + window < total:
        starts.append(total - window)
    assert len(found) == len(starts)
    for one, start in zip(found, starts, strict=True):
        end = min(start + window, total)
        assert 0 <= one.begin < one.end <= frames
        assert abs(one.begin - start * rate) <= 1
        assert abs(one.end - end * rate) <= 1
        labels = set[str]()
        for event in events:
            begins, ends = Fraction(str(event.start_s)), Fraction(str(event.end_s))
            overlap = min(end, ends) - max(start, begins)
            if overlap > 0 and overlap >= Fraction(str(min_overlap)) * min(end - start, ends - begins):
                labels.add(event.label)
        assert one.labels == tuple(sorted(labels))
    assert found[-1].end == frames
    assert all(one.begin < other.begin for one, other in pairwise(found))
    assert len({one.end - one.begin for one in found}) == 1


@pytest.mark.parametrize("how", [{}, {"seconds": 0}, {"seconds": 1, "hop": 0}, {"seconds": 1, "min_overlap": 0}])
def test_what_is_no_window(how: dict[str, float]):
    with pytest.raises(ValidationError):
        WindowsConfig.model_validate(how)
