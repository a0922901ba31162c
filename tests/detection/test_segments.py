"""Segment-based counts: by hand, and those of sed_eval."""

import numpy as np
import pytest
from drawn_events import LABELS, drawn, row_of_sed_eval

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.detection.counts import Counts
from audiosurvey.detection.segments import count_segments


def test_by_hand():
    true = [Annotation("dog", 0.0, 2.0), Annotation("rain", 1.5, 4.2)]
    found = [Annotation("dog", 0.9, 2.0), Annotation("bell", 3.0, 3.1), Annotation("rain", 1.0, 2.0)]
    counts, by_label = count_segments(true, found, LABELS, 1.0)
    # Dog: segments 0 and 1, both found. Rain: 1 to 4, of which 1 is found. Bell: one segment, in the place of rain.
    assert by_label == {"dog": Counts(2, 2, 2), "rain": Counts(4, 1, 1), "bell": Counts(0, 1, 0)}
    assert counts == Counts(true=6, found=4, hits=3, substitutions=1)
    assert (counts.deletions, counts.insertions) == (2, 0)


def test_an_event_that_ends_with_a_segment_does_not_touch_the_next():
    true = [Annotation("dog", 0.0, 0.3)]
    # 0.1 + 0.2 is a little more than 0.3.
    counts, _ = count_segments(true, [Annotation("dog", 0.0, 0.1 + 0.2)], LABELS, 0.1)
    assert counts == Counts(3, 3, 3)


def test_silence():
    assert count_segments([], [], LABELS, 1.0)[0] == Counts()


def test_the_counts_are_those_of_sed_eval():
    sed_eval = pytest.importorskip("sed_eval")
    for seed in range(20):
        rng = np.random.default_rng(seed)
        true, found = drawn(rng), drawn(rng)
        theirs = sed_eval.sound_event.SegmentBasedMetrics(list(LABELS), time_resolution=1.0)
        theirs.evaluate(*([row_of_sed_eval(event) for event in events] for events in (true, found)))
        counts, by_label = count_segments(true, found, LABELS, 1.0)
        overall = theirs.overall
        assert (counts.hits, counts.substitutions) == (overall["Ntp"], overall["S"])
        assert (counts.insertions, counts.deletions) == (overall["I"], overall["D"])
        assert [by_label[label].hits for label in LABELS] == [theirs.class_wise[label]["Ntp"] for label in LABELS]
