"""PSDS: by hand, its limits, and that of sed_scores_eval."""

import numpy as np
import pytest

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.detection import psds as module
from audiosurvey.detection.psds import ScoredRecording, psds

LABELS = ("dog", "rain")


def recording(scores: list[list[float]], true: list[Annotation], hop_s: float = 1.0, window_s: float = 1.0):
    starts_W = np.arange(len(scores)) * hop_s
    return ScoredRecording(starts_W, starts_W + window_s, np.array(scores), true, float(starts_W[-1] + window_s))


def test_by_hand():
    """36 s are a hundredth of an hour: each false alarm is 100 of them an hour, the most that count."""
    scores = np.zeros((36, 2))
    scores[3:5, 0], scores[10, 0], scores[20, 0] = 0.9, 0.5, 0.7
    true = [Annotation("dog", 3.0, 5.0), Annotation("dog", 10.0, 11.0)]
    # At 0.9 one of two is found without a false alarm, at 0.7 one is added, which is as many as count.
    assert psds([recording(scores.tolist(), true)], LABELS) == pytest.approx(0.5)
    # Twice as long: the second event costs 50 an hour, half of the area.
    long = np.vstack([scores, np.zeros((36, 2))])
    assert psds([recording(long.tolist(), true)], LABELS) == pytest.approx(0.5 + 0.5 * 0.5)


def test_a_perfect_detector_scores_one_and_an_ignorant_one_nearly_nothing():
    true = [Annotation("dog", 3.0, 5.0), Annotation("rain", 10.0, 14.0)]
    scores = np.zeros((60, 2))
    scores[3:5, 0] = scores[10:14, 1] = 1.0
    assert psds([recording(scores.tolist(), true)], LABELS) == 1.0
    assert psds([recording((1 - scores).tolist(), true)], LABELS) == 0.0


def test_labels_without_events_do_not_count():
    scores = np.zeros((60, 2))
    scores[3:5, 0] = scores[20:22, 1] = 1.0
    assert psds([recording(scores.tolist(), [Annotation("dog", 3.0, 5.0)])], LABELS) == 1.0


def test_overlapping_windows_join_to_detections():
    """Windows of 2 s every second: three that reach the threshold cover four seconds."""
    scores = [[0.0, 0.0]] * 5 + [[0.9, 0.0]] * 3 + [[0.0, 0.0]] * 30
    assert psds([recording(scores, [Annotation("dog", 5.0, 9.0)], window_s=2.0)], LABELS) == 1.0
    # Less than half of the detection is in an event of one second.
    assert psds([recording(scores, [Annotation("dog", 5.0, 6.0)], window_s=2.0)], LABELS) == 0.0


def test_many_thresholds_are_taken_evenly(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    scores = rng.random((3600, 2))
    true = [Annotation("dog", float(start), start + 3.0) for start in range(0, 3600, 60)]
    for event in true:
        scores[int(event.start_s) : int(event.end_s), 0] += 0.3
    exact = psds([recording(scores.tolist(), true)], LABELS)
    monkeypatch.setattr(module, "MOST_THRESHOLDS", 200)
    assert psds([recording(scores.tolist(), true)], LABELS) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7])
def test_the_score_is_that_of_sed_scores_eval(share: float):
    sed = pytest.importorskip("sed_scores_eval")
    pandas = pytest.importorskip("pandas")
    recordings, scores, truth, seconds = [], {}, {}, {}
    rng = np.random.default_rng(0)
    for name in "abcd":
        true = []
        for label in LABELS:
            start = rng.uniform(0, 5)
            while start < 54:
                true.append(Annotation(label, start, end := start + rng.uniform(0.5, 5)))
                start = end + rng.uniform(2, 20)
        scores_WK = rng.random((60, 2)) / 2
        for event in true:
            scores_WK[int(event.start_s) : int(event.end_s) + 1, LABELS.index(event.label)] += 0.3 * rng.random()
        one = recording(scores_WK.tolist(), true)
        recordings.append(one)
        table = np.column_stack([one.starts_W, one.ends_W, scores_WK])
        scores[name] = pandas.DataFrame(table, columns=["onset", "offset", *LABELS])
        truth[name] = [(event.start_s, event.end_s, event.label) for event in true]
        seconds[name] = 60.0
    theirs, *_ = sed.intersection_based.psds(
        scores, truth, seconds, dtc_threshold=share, gtc_threshold=share, alpha_ct=0.0, alpha_st=0.0, max_efpr=100.0
    )
    assert psds(recordings, LABELS, dtc=share, gtc=share) == pytest.approx(theirs, abs=1e-9)
