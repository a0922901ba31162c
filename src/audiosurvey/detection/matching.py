"""Event-based counts: each true event is matched with at most one that was found.

Mesaros, Heittola, Virtanen: Metrics for Polyphonic Sound Event Detection, 2016. The definitions are those of sed_eval.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.detection.counts import Counts

_TOLERANCE_S = 1e-6


@dataclass(frozen=True, slots=True)
class Collar:
    """When an event that was found is at the time of a true one."""

    onset_s: float
    """Most seconds between their starts."""
    offset_share: float | None = None
    """Most seconds between their ends, as a share of the length of the true event, but never less than `onset_s`; None:
    ends do not matter."""

    def close(self, true: Sequence[Annotation], found: Sequence[Annotation]) -> np.ndarray:
        """Whether each found event (columns) is at the time of each true one (rows)."""
        starts_T, ends_T = _times(true)
        starts_F, ends_F = _times(found)
        close_TF = np.abs(starts_T[:, None] - starts_F) <= self.onset_s + _TOLERANCE_S
        if self.offset_share is not None:
            most_T = np.maximum(self.onset_s, self.offset_share * (ends_T - starts_T))
            close_TF &= np.abs(ends_T[:, None] - ends_F) <= most_T[:, None] + _TOLERANCE_S
        return close_TF


def count_events(
    true: Sequence[Annotation], found: Sequence[Annotation], labels: Sequence[str], collar: Collar
) -> tuple[Counts, dict[str, Counts]]:
    """The counts in one recording over all labels, and by label.

    As many events as possible are matched. Of those left over, one found at the time of a true one of another label is
    a substitution.
    """
    close_TF = collar.close(true, found)
    same_TF = np.array([[one.label == other.label for other in found] for one in true], dtype=bool)
    same_TF = same_TF.reshape(close_TF.shape)
    of_true_F = _matched(close_TF & same_TF)
    hit_F = of_true_F >= 0
    hit_T = np.zeros(len(true), dtype=bool)
    hit_T[of_true_F[hit_F]] = True
    swapped = _substitutions(close_TF[~hit_T][:, ~hit_F])
    numbers = [
        Counter(event.label for event in events)
        for events in (true, found, [event for event, hit in zip(found, hit_F, strict=True) if hit])
    ]
    by_label = {label: Counts(*(number[label] for number in numbers)) for label in labels}
    return Counts(len(true), len(found), int(hit_F.sum()), swapped), by_label


def _matched(possible_TF: np.ndarray) -> np.ndarray:
    """The row that each column is matched with, as many as possible; -1: none."""
    if not possible_TF.size:
        return np.full(possible_TF.shape[1], -1)
    return maximum_bipartite_matching(csr_array(possible_TF), perm_type="row")


def _substitutions(close_TF: np.ndarray) -> int:
    """Pairs in the order of the true events, each with the first that is free."""
    taken_F = np.zeros(close_TF.shape[1], dtype=bool)
    for close_F in close_TF:
        free = np.flatnonzero(close_F & ~taken_F)
        taken_F[free[:1]] = True
    return int(taken_F.sum())


def _times(events: Sequence[Annotation]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([event.start_s for event in events]), np.array([event.end_s for event in events])
