"""Segment-based counts: a recording is cut into segments, and a label is active in those that its events touch.

Mesaros, Heittola, Virtanen: Metrics for Polyphonic Sound Event Detection, 2016. The definitions are those of sed_eval.
"""

import math
from collections.abc import Sequence

import numpy as np

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.detection.counts import Counts

_TOLERANCE = 1e-6
"""Of a segment: times are rounded."""


def count_segments(
    true: Sequence[Annotation], found: Sequence[Annotation], labels: Sequence[str], segment_s: float
) -> tuple[Counts, dict[str, Counts]]:
    """The counts in one recording over all labels, and by label."""
    ends = [event.end_s for event in (*true, *found)]
    number = math.ceil(max(ends, default=0.0) / segment_s - _TOLERANCE)
    true_KS, found_KS = (_active(events, labels, segment_s, number) for events in (true, found))
    hits_KS = true_KS & found_KS
    true_S, found_S, hits_S = (active_KS.sum(axis=0) for active_KS in (true_KS, found_KS, hits_KS))
    swapped = int((np.minimum(true_S, found_S) - hits_S).sum())
    counts_K3 = np.stack([active_KS.sum(axis=1) for active_KS in (true_KS, found_KS, hits_KS)], axis=1)
    by_label = {label: Counts(*row) for label, row in zip(labels, counts_K3.tolist(), strict=True)}
    return Counts(int(true_S.sum()), int(found_S.sum()), int(hits_S.sum()), swapped), by_label


def _active(events: Sequence[Annotation], labels: Sequence[str], segment_s: float, number: int) -> np.ndarray:
    """Whether each label (rows) is active in each segment."""
    rows = {label: row for row, label in enumerate(labels)}
    active_KS = np.zeros((len(labels), number), dtype=bool)
    for event in events:
        first = math.floor(event.start_s / segment_s + _TOLERANCE)
        active_KS[rows[event.label], first : math.ceil(event.end_s / segment_s - _TOLERANCE)] = True
    return active_KS
