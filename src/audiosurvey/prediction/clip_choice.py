"""Which events of a prediction become clips: of each label those with the highest scores, and those with the lowest.

The lowest are next to the threshold, where a look at them teaches most. Memory is bounded by the number of clips, and
the events of one sound.
"""

import heapq
from collections import defaultdict
from dataclasses import dataclass

from audiosurvey.artefact.decision import UNKNOWN
from audiosurvey.prediction.postprocessing import Prediction

_SHARED = 0.5
"""Share of the shorter of two events in which they must overlap for both labels to be heard in the clip of either."""


@dataclass(frozen=True, slots=True)
class ChosenEvent:
    """An event, or a whole sound."""

    sound: str
    """The name of the recording."""
    start_s: float
    end_s: float
    labels: tuple[str, ...]
    """Its own label first, then those of events at the same time."""
    score: float


class ClipChoice:
    """Collects predictions, which come one sound after another, and keeps those that become clips."""

    def __init__(self, per_label: int) -> None:
        """`per_label`: most clips of a label, half of them (rounded up) with the highest scores."""
        self._most_best, self._most_lowest = per_label - per_label // 2, per_label // 2
        self._best: defaultdict[str, list[tuple[float, int, ChosenEvent]]] = defaultdict(list)
        self._lowest: defaultdict[str, list[tuple[float, int, ChosenEvent]]] = defaultdict(list)
        self._of_sound: list[Prediction] = []
        self._number = 0

    def add(self, prediction: Prediction) -> None:
        """Take a prediction into account; those without a label are left out."""
        if self._of_sound and self._of_sound[0].name != prediction.name:
            self._end_sound()
        if prediction.labels[0][0] != UNKNOWN:
            self._of_sound.append(prediction)

    def events(self) -> list[ChosenEvent]:
        """The chosen events, in the order in which they came."""
        self._end_sound()
        heaps = (*self._best.values(), *self._lowest.values())
        kept = {abs(number): event for heap in heaps for _, number, event in heap}
        return [kept[number] for number in sorted(kept)]

    def _end_sound(self) -> None:
        ordered = sorted(self._of_sound, key=lambda event: event.start_s)
        for place, event in enumerate(ordered):
            label, score = event.labels[0]
            others = [other for other, _ in event.labels[1:]] if event.whole else _beside(ordered, place)
            labels = tuple(dict.fromkeys([label, *others]))
            self._keep(ChosenEvent(event.name, event.start_s, event.end_s, labels, score))
        self._of_sound = []

    def _keep(self, event: ChosenEvent) -> None:
        label = event.labels[0]
        # Of equal scores, the earlier is the better one in both heaps, so that few events are kept without exception.
        for heap, most, sign in (
            (self._best[label], self._most_best, 1),
            (self._lowest[label], self._most_lowest, -1),
        ):
            heapq.heappush(heap, (sign * event.score, -sign * self._number, event))
            if len(heap) > most:
                heapq.heappop(heap)
        self._number += 1


def _beside(ordered: list[Prediction], place: int) -> list[str]:
    """The labels of the other events, in the order of their starts, that overlap with one of them enough."""
    event = ordered[place]
    found = []
    for other in ordered:
        if other.start_s >= event.end_s:
            break
        shared_s = min(event.end_s, other.end_s) - max(event.start_s, other.start_s)
        if other is not event and shared_s >= _SHARED * min(_length_s(event), _length_s(other)) and shared_s > 0:
            found.append(other.labels[0][0])
    return found


def _length_s(event: Prediction) -> float:
    return event.end_s - event.start_s
