"""Event-based counts: a case by hand with every kind of error, and those of sed_eval."""

import numpy as np
import pytest
from drawn_events import LABELS, drawn, row_of_sed_eval

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.detection.counts import Counts
from audiosurvey.detection.matching import Collar, count_events

TRUE = [
    Annotation("dog", 1.0, 2.0),  # found exactly
    Annotation("dog", 5.0, 6.0),  # found late, inside the collar
    Annotation("dog", 9.0, 10.0),  # found too late
    Annotation("rain", 12.0, 20.0),  # found twice: one is too many
    Annotation("rain", 25.0, 35.0),  # its start is right, its end is not
    Annotation("bell", 40.0, 41.0),  # found as a dog
    Annotation("bell", 45.0, 46.0),  # missed
    Annotation("dog", 50.0, 52.0),  # two at once: both found
    Annotation("rain", 50.0, 52.0),
    Annotation("dog", 53.0, 54.0),  # could be matched with either of two
]
FOUND = [
    Annotation("dog", 1.0, 2.0),
    Annotation("dog", 5.5, 6.2),
    Annotation("dog", 9.8, 10.5),
    Annotation("rain", 12.1, 19.0),
    Annotation("rain", 12.3, 13.0),
    Annotation("rain", 25.2, 28.0),
    Annotation("dog", 40.1, 41.0),
    Annotation("dog", 50.4, 52.2),
    Annotation("rain", 50.0, 52.0),
    Annotation("dog", 53.4, 54.0),
    Annotation("bell", 58.0, 59.0),  # nothing there
]


def test_by_hand():
    counts, by_label = count_events(TRUE, FOUND, LABELS, Collar(0.5))
    # Right: dogs at 1, 5, 50 and 53, rain at 12, 25 and 50.
    assert counts == Counts(true=10, found=11, hits=7, substitutions=1)
    # Missed: the dog at 9, a bell. Too many: that dog 0.8 s late, the second rain, a bell.
    assert (counts.deletions, counts.insertions) == (2, 3)
    assert counts.precision == pytest.approx(7 / 11)
    assert counts.recall == pytest.approx(7 / 10)
    assert counts.f1 == pytest.approx(14 / 21)
    assert counts.error_rate == pytest.approx((1 + 2 + 3) / 10)
    assert by_label == {"dog": Counts(5, 6, 4), "rain": Counts(3, 4, 3), "bell": Counts(2, 1, 0)}


def test_ends_count_if_they_are_asked_for():
    counts, by_label = count_events(TRUE, FOUND, LABELS, Collar(0.5, 0.5))
    # The rain from 25 to 35 s must end at 30 s or later.
    assert by_label["rain"] == Counts(3, 4, 2)
    assert counts.hits == 6


def test_as_many_as_possible_are_matched():
    true = [Annotation("dog", 1.0, 2.0), Annotation("dog", 1.8, 3.0)]
    found = [Annotation("dog", 1.4, 2.0), Annotation("dog", 0.6, 2.0)]
    # The first found fits both true ones, the second only the first.
    assert count_events(true, found, LABELS, Collar(0.5))[0].hits == 2


def test_nothing_true_or_nothing_found():
    nothing, _ = count_events([], [], LABELS, Collar(0.5))
    assert (nothing.f1, nothing.precision, nothing.recall, nothing.error_rate) == (None, None, None, None)
    assert count_events(TRUE, [], LABELS, Collar(0.5))[0] == Counts(10, 0, 0, 0)
    assert count_events([], FOUND, LABELS, Collar(0.5))[0] == Counts(0, 11, 0, 0)


@pytest.mark.parametrize("share", [None, 0.5])
def test_the_counts_are_those_of_sed_eval(share: float | None):
    sed_eval = pytest.importorskip("sed_eval")
    for seed in range(20):
        rng = np.random.default_rng(seed)
        true, found = (sorted(drawn(rng), key=lambda event: event.start_s) for _ in range(2))
        theirs = sed_eval.sound_event.EventBasedMetrics(
            list(LABELS), t_collar=1.5, percentage_of_length=share or 0.5, evaluate_offset=share is not None
        )
        theirs.evaluate(*([row_of_sed_eval(event) for event in events] for events in (true, found)))
        counts, by_label = count_events(true, found, LABELS, Collar(1.5, share))
        overall = theirs.overall
        assert (counts.hits, counts.substitutions) == (overall["Ntp"], overall["Nsubs"])
        assert (counts.insertions, counts.deletions) == (overall["Nfp"], overall["Nfn"])
        assert [by_label[label].hits for label in LABELS] == [theirs.class_wise[label]["Ntp"] for label in LABELS]
