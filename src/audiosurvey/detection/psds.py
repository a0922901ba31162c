"""Polyphonic Sound Detection Score: one number for all thresholds.

Bilen et al., A Framework for the Robust Evaluation of Sound Event Detection, 2020.

At each threshold, a detection is a run of windows that reach it. It is right if at least `dtc` of it lies in true
events of its label, and else a false alarm; a true event is found if at least `gtc` of it lies in right detections. The
score is the area under the share of events found, averaged over labels, against false alarms an hour, up to `most` of
them. Detections of another label have no extra cost, and differences between labels neither (alpha_ct = alpha_st = 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiosurvey.data.annotations.annotation import Annotation

DTC = GTC = 0.5
MOST_AN_HOUR = 100.0
MOST_THRESHOLDS = 1000
"""With more different scores of a label, so many of them, evenly ranked."""
_APART_S = 1.0
"""Between recordings, which are looked at one behind the other."""
_TOLERANCE_S = 1e-6


@dataclass(frozen=True)
class ScoredRecording:
    """One recording: its windows with the scores of all labels, and its events."""

    starts_W: np.ndarray
    ends_W: np.ndarray
    scores_WK: np.ndarray
    true: Sequence[Annotation]
    seconds: float


@dataclass(frozen=True)
class _Timeline:
    """All recordings one behind the other, for one label."""

    starts_W: np.ndarray
    ends_W: np.ndarray
    scores_W: np.ndarray
    true_T2: np.ndarray
    """Start and end of the events of the label, which do not overlap."""


def psds(recordings: Sequence[ScoredRecording], labels: Sequence[str], *, dtc: float = DTC, gtc: float = GTC) -> float:
    """The score, from 0 to 1, averaged over the labels that have events. At least one must have some."""
    hours = sum(one.seconds for one in recordings) / 3600
    areas = [
        _area(*_operating_points(timeline, dtc, gtc), hours)
        for label in range(len(labels))
        if len((timeline := _timeline(recordings, labels, label)).true_T2)
    ]
    return float(np.mean(areas))


def _area(false_P: np.ndarray, share_P: np.ndarray, hours: float) -> float:
    """Under the best share that each number of false alarms allows, a step function."""
    rate_P = false_P / hours
    order = np.argsort(rate_P, kind="stable")
    rate_P, share_P = rate_P[order], np.maximum.accumulate(share_P[order])
    inside_P = rate_P <= MOST_AN_HOUR
    edges = np.append(rate_P[inside_P], MOST_AN_HOUR)
    return float((np.diff(edges) * share_P[inside_P]).sum() / MOST_AN_HOUR)


def _operating_points(timeline: _Timeline, dtc: float, gtc: float) -> tuple[np.ndarray, np.ndarray]:
    """False alarms, and the share of the events found, at each threshold, with none of either at first."""
    values = np.unique(timeline.scores_W)
    if len(values) > MOST_THRESHOLDS:
        values = values[np.linspace(0, len(values) - 1, MOST_THRESHOLDS).round().astype(int)]
    points = [(0, 0.0), *(_at(timeline, threshold, dtc, gtc) for threshold in values)]
    false, share = zip(*points, strict=True)
    return np.array(false, dtype=float), np.array(share)


def _at(timeline: _Timeline, threshold: float, dtc: float, gtc: float) -> tuple[int, float]:
    active_W = timeline.scores_W >= threshold
    detections_D2 = _runs(timeline.starts_W[active_W], timeline.ends_W[active_W])
    seconds_D = np.diff(detections_D2, axis=1)[:, 0]
    right_D = _covered(detections_D2, timeline.true_T2) >= dtc * seconds_D - _TOLERANCE_S
    found_T = _covered(timeline.true_T2, detections_D2[right_D])
    seconds_T = np.diff(timeline.true_T2, axis=1)[:, 0]
    return int((~right_D).sum()), float((found_T >= gtc * seconds_T - _TOLERANCE_S).mean())


def _runs(starts_N: np.ndarray, ends_N: np.ndarray) -> np.ndarray:
    """Start and end of each run of intervals that touch or overlap; intervals are in the order of their starts."""
    if not len(starts_N):
        return np.zeros((0, 2))
    ends_N = np.maximum.accumulate(ends_N)
    first_N = np.concatenate([[True], starts_N[1:] > ends_N[:-1] + _TOLERANCE_S])
    last_N = np.concatenate([first_N[1:], [True]])
    return np.stack([starts_N[first_N], ends_N[last_N]], axis=1)


def _covered(intervals_N2: np.ndarray, by_M2: np.ndarray) -> np.ndarray:
    """Seconds of each interval that lie in one of `by_M2`, which do not overlap."""
    if not len(by_M2):
        return np.zeros(len(intervals_N2))
    # Covered seconds up to each edge; between edges they grow in straight lines.
    total_M = np.cumsum(np.diff(by_M2, axis=1)[:, 0])
    before_M = np.stack([np.append(0.0, total_M[:-1]), total_M], axis=1)
    return np.diff(np.interp(intervals_N2, by_M2.ravel(), before_M.ravel()), axis=1)[:, 0]


def _timeline(recordings: Sequence[ScoredRecording], labels: Sequence[str], label: int) -> _Timeline:
    starts, ends, scores, true = [], [], [], [np.zeros((0, 2))]
    offset = 0.0
    for one in recordings:
        starts.append(one.starts_W + offset)
        ends.append(one.ends_W + offset)
        scores.append(one.scores_WK[:, label])
        own = sorted((event.start_s, event.end_s) for event in one.true if event.label == labels[label])
        true += [_runs(*np.array(own).T) + offset] if own else []
        last = max(one.seconds, max((event.end_s for event in one.true), default=0.0))
        offset += last + _APART_S
    return _Timeline(np.concatenate(starts), np.concatenate(ends), np.concatenate(scores), np.concatenate(true))
