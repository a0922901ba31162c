"""From the scores of windows to events: what was heard, from when to when, and how surely.

A label's event begins in a window where its score reaches `on` and it is among the `top` best labels, goes on while
its score stays at `off` or above, and spans those windows from the start of the first to the end of the last. Events
of one label with no more than `min_gap_s` between them are one; those shorter than `min_duration_s` are left out.

With exclusive classes a window belongs to one event at most: that of its best class, or else the one that goes on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from audiosurvey.artefact.decision import Threshold, reaches
from audiosurvey.artefact.temperature import Temperatures
from audiosurvey.data.audio.measures import Measures, median
from audiosurvey.predict.stream import WindowScores

_TOLERANCE_S = 1e-6
"""Times are whole samples turned into seconds: less than this is rounding."""


@dataclass(frozen=True, slots=True)
class Event:
    """One label heard for a while."""

    label: str
    start_s: float
    end_s: float
    peak: float
    """The highest score of its windows."""
    mean: float
    """The mean over those windows."""
    measures: Measures | None = None
    """The median over those windows; None where they have none."""


@dataclass(frozen=True, slots=True)
class EventRule:
    """What makes an event."""

    on: Threshold | None = None
    """What a score has to reach for an event to begin; None: the best label always does."""
    off: float | None = None
    """An event goes on while its score stays at this or above (never above its `on`); None: while it could begin."""
    multi_label: bool = False
    """Whether several labels may be heard at once; else classes are exclusive."""
    top: int | None = None
    """Several labels: in a window only so many of the best can begin an event; None: all."""
    min_duration_s: float = 0.0
    min_gap_s: float = 0.0


@dataclass(slots=True)
class _Open:
    """An event that may still grow."""

    start_s: float
    end_s: float
    scores: list[float] = field(default_factory=list)
    measures: list[Measures] = field(default_factory=list)
    lasting: bool = True
    """Whether the last window belonged to it, so that `off` is enough."""


def find_events(
    windows: Iterable[WindowScores], labels: Sequence[str], rule: EventRule, temperatures: Temperatures | None = None
) -> Iterator[Event]:
    """The events of one sound, each as soon as nothing can change it, in the order in which they end.

    Scores come uncalibrated; `temperatures` calibrate them (None: they are taken as they are).
    """
    temperatures = temperatures or Temperatures()
    growing: dict[str, _Open] = {}
    for window in windows:
        yield from _finished(growing, labels, rule, window.start_s)
        lasting = {label for label, event in growing.items() if event.lasting}
        heard = _heard(window, temperatures, labels, rule, lasting)
        for label, event in growing.items():
            event.lasting = label in heard
        for label, score in heard.items():
            event = growing.setdefault(label, _Open(window.start_s, window.end_s))
            event.end_s = max(event.end_s, window.end_s)
            event.scores.append(score)
            event.measures += [] if window.measures is None else [window.measures]
    yield from _finished(growing, labels, rule, float("inf"))


def _heard(
    window: WindowScores, temperatures: Temperatures, labels: Sequence[str], rule: EventRule, lasting: set[str]
) -> dict[str, float]:
    """The labels whose event begins or goes on in this window, with their scores."""
    calibrated_K = temperatures.apply(window.score_K, window.windows)
    order = [int(k) for k in np.argsort(-window.score_K, kind="stable")]
    best = {labels[k] for k in order[: rule.top if rule.multi_label else 1]}
    heard: dict[str, float] = {}
    for k in order:
        label, score = labels[k], float(calibrated_K[k])
        enough = reaches(label, score, rule.on, window.windows, multi_label=rule.multi_label)
        begins = label in best and enough
        goes_on = rule.off is not None and label in lasting and score >= rule.off
        if begins or goes_on:
            heard[label] = score
            if not rule.multi_label:
                break
    return heard


def _finished(growing: dict[str, _Open], labels: Sequence[str], rule: EventRule, now_s: float) -> Iterator[Event]:
    """Takes out the events that no window from `now_s` on can reach, and gives those that last long enough."""
    over = [label for label, event in growing.items() if now_s - event.end_s > rule.min_gap_s + _TOLERANCE_S]
    for label in sorted(over, key=lambda label: (growing[label].end_s, growing[label].start_s, labels.index(label))):
        event = growing.pop(label)
        if event.end_s - event.start_s >= rule.min_duration_s - _TOLERANCE_S:
            mean = float(np.mean(event.scores))
            measures = median(event.measures) if event.measures else None
            yield Event(label, event.start_s, event.end_s, max(event.scores), mean, measures)
