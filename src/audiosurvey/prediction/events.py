"""From window scores to events: which label is present, from when to when, and with which score.

An event of a label begins in a window where its score reaches `on` and it is among the `top` best labels. It continues
while the score stays at `off` or above, and spans these windows. Where windows overlap, each stands for its middle, so
that neighbours meet halfway; the first and the last of a sound reach to its ends.
Events of one label at most `min_gap_s` apart are joined; events shorter than `min_duration_s` are dropped.

With exclusive classes a window belongs to at most one event: that of its best class, or else one that continues.

Events come in the order of their starts: one that has ended waits for those that began before it. Of a sound that is
still arriving, each comes as soon as it has ended.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np

from audiosurvey.artefact.decision import Threshold, reaches
from audiosurvey.artefact.temperature import Temperatures
from audiosurvey.data.audio.measures import Measures, median
from audiosurvey.prediction.stream import WindowScores

_TOLERANCE_S = 1e-6
"""Rounding error of times, which are whole samples converted to seconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """One label over a stretch of time."""

    label: str
    start_s: float
    end_s: float
    peak: float
    """The highest score of its windows."""
    mean: float
    """The mean score of its windows."""
    measures: Measures | None = None
    """The median over its windows; None if they have none."""


@dataclass(frozen=True, slots=True)
class EventRule:
    """What makes an event."""

    on: Threshold | None = None
    """Score at which an event begins; None: the best label always begins one."""
    off: float | None = None
    """Score above which an event continues (at most `on`); None: it continues while it could begin."""
    multi_label: bool = False
    """Whether several labels can be present at once; else classes are exclusive."""
    top: int | None = None
    """With several labels: how many of the best in a window can begin an event; None: all."""
    min_duration_s: float = 0.0
    min_gap_s: float = 0.0
    margin_s: float = 0.0
    """Half of the overlap of neighbouring windows."""


@dataclass(slots=True)
class _OpenEvent:
    """An event that may still grow."""

    start_s: float
    end_s: float
    scores: list[float] = field(default_factory=list)
    measures: list[Measures] = field(default_factory=list)
    continues: bool = True
    """Whether the last window belonged to it, so that `off` suffices."""


@dataclass(frozen=True, slots=True)
class RankedWindow:
    """One window with its labels, best first, and their calibrated scores."""

    window: WindowScores
    ranked: tuple[tuple[str, float], ...]


def rank(window: WindowScores, labels: Sequence[str], temperatures: Temperatures) -> RankedWindow:
    calibrated_K = temperatures.apply(window.score_K, window.windows).tolist()
    order: list[int] = np.argsort(-window.score_K, kind="stable").tolist()
    return RankedWindow(window, tuple((labels[k], calibrated_K[k]) for k in order))


def find_events(
    windows: Iterable[WindowScores],
    labels: Sequence[str],
    rule: EventRule,
    temperatures: Temperatures | None = None,
    *,
    live: bool = False,
) -> Iterator[Event]:
    """The events of one sound in the order of their starts.

    `temperatures` calibrate the scores; None: scores are used as they are. `live`: in the order of the ends, each as
    soon as it is final.
    """
    temperatures = temperatures or Temperatures()
    return join_events((rank(window, labels, temperatures) for window in windows), labels, rule, live=live)


def join_events(
    windows: Iterable[RankedWindow], labels: Sequence[str], rule: EventRule, *, live: bool = False
) -> Iterator[Event]:
    """`find_events` of windows that are ranked already."""
    growing: dict[str, _OpenEvent] = {}
    ended = _joined(windows, growing, labels, rule)
    return ended if live else _by_start(ended, growing, labels)


def _by_start(ended: Iterator[Event], growing: dict[str, _OpenEvent], labels: Sequence[str]) -> Iterator[Event]:
    """The events in the order of their starts; none waits for one that begins later."""
    waiting: list[tuple[float, float, int, Event]] = []
    for event in ended:
        heappush(waiting, (event.start_s, event.end_s, labels.index(event.label), event))
        earliest_s = min((one.start_s for one in growing.values()), default=float("inf"))
        while waiting and waiting[0][0] <= earliest_s:
            yield heappop(waiting)[-1]
    while waiting:
        yield heappop(waiting)[-1]


def _joined(
    windows: Iterable[RankedWindow], growing: dict[str, _OpenEvent], labels: Sequence[str], rule: EventRule
) -> Iterator[Event]:
    """The events in the order of their ends. `growing`: those that have not ended; changed here."""
    window: WindowScores | None = None
    for one in windows:
        window = one.window
        start_s, end_s = middle(window, rule.margin_s)
        if growing:
            yield from _finished(growing, labels, rule, start_s)
        continuing = {label for label, event in growing.items() if event.continues}
        present = _present_labels(one, rule, continuing)
        for label, event in growing.items():
            event.continues = label in present
        for label, score in present.items():
            event = growing.setdefault(label, _OpenEvent(start_s, end_s))
            event.end_s = max(event.end_s, end_s)
            event.scores.append(score)
            event.measures += [] if window.measures is None else [window.measures]
    for event in growing.values():
        if event.continues and window is not None:
            event.end_s = window.end_s
    yield from _finished(growing, labels, rule, float("inf"))


def middle(window: WindowScores, margin_s: float) -> tuple[float, float]:
    """The time span that a window stands for: without `margin_s` at its ends, except at the beginning of the sound."""
    start_s = window.start_s + margin_s if window.start_s > 0 else 0.0
    return start_s, max(start_s, window.end_s - margin_s)


def _present_labels(one: RankedWindow, rule: EventRule, continuing: set[str]) -> dict[str, float]:
    """The labels whose events begin or continue in this window, with their scores."""
    top = (len(one.ranked) if rule.top is None else rule.top) if rule.multi_label else 1
    may_continue = continuing if rule.off is not None else set()
    present: dict[str, float] = {}
    for place, (label, score) in enumerate(one.ranked):
        if place >= top and not may_continue:
            break
        begins = place < top and reaches(label, score, rule.on, one.window.windows, multi_label=rule.multi_label)
        if begins or (label in may_continue and rule.off is not None and score >= rule.off):
            present[label] = score
            if not rule.multi_label:
                break
    return present


def _finished(growing: dict[str, _OpenEvent], labels: Sequence[str], rule: EventRule, now_s: float) -> Iterator[Event]:
    """Remove the events that windows from `now_s` on cannot extend, and yield those that are long enough."""
    over = [label for label, event in growing.items() if now_s - event.end_s > rule.min_gap_s + _TOLERANCE_S]
    for label in sorted(over, key=lambda label: (growing[label].end_s, growing[label].start_s, labels.index(label))):
        event = growing.pop(label)
        if event.end_s - event.start_s >= rule.min_duration_s - _TOLERANCE_S:
            mean = float(np.mean(event.scores))
            measures = median(event.measures) if event.measures else None
            yield Event(label, event.start_s, event.end_s, max(event.scores), mean, measures)
