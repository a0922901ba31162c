"""From the scores of sounds to what is said of them: one answer a sound, a window, or an event."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from audiosurvey.artefact.decision import UNKNOWN, Threshold, named
from audiosurvey.artefact.temperature import Temperatures
from audiosurvey.artefact.training_range import TrainingRange
from audiosurvey.data.audio.measures import Measures, median
from audiosurvey.predict.events import EventRule, find_events
from audiosurvey.predict.scan import Portion
from audiosurvey.predict.smoothing import Smoothing
from audiosurvey.predict.stream import WindowScores
from audiosurvey.training.sound_scores import WindowMean


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a stretch of a sound."""

    name: str
    """The sound."""
    start_s: float
    end_s: float
    labels: tuple[tuple[str, float], ...]
    """Labels with their scores, best first; `unknown`, with the highest score there was, where none is sure enough."""
    whole: bool = False
    """The stretch is the whole sound."""
    mean: float | None = None
    """Of an event: the mean over its windows, where the score is their peak."""
    score_K: np.ndarray | None = None
    """All calibrated scores, in the order of the labels; none for an event."""
    notes: tuple[str, ...] = ()
    """What of the stretch lies outside the model's training clips."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A sound that could not be read, or not to its end."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wording:
    """What is made of scores."""

    top: int = 1
    """At most so many labels an answer; beside a threshold, one of exclusive classes."""
    threshold: Threshold | None = None
    """The score that a label needs to be named; None: the best labels are given, whatever their scores."""
    multi_label: bool = False
    """Whether a sound may have several labels; else classes are exclusive."""
    temperatures: Temperatures = field(default_factory=Temperatures)
    """From the scores of windows, which come uncalibrated, to those of answers."""
    smoothing: Smoothing = field(default_factory=Smoothing)
    """Of windows; whole sounds stay as they are."""
    events: EventRule | None = None
    """Windows are joined to events; None: an answer a window."""


def answers(
    portions: Iterable[Portion],
    names: Sequence[str],
    labels: Sequence[str],
    wording: Wording,
    training_range: TrainingRange | None = None,
) -> Iterator[Answer | Failure]:
    """The answers of one sound after another, each as soon as it is known; a sound that fails ends in its failure.

    One that gets a single answer gets none where it fails; of another, what was heard before stays said.
    `training_range`: what notes are made by; None: there are none.
    """
    for sound, of_sound in itertools.groupby(portions, lambda portion: portion.sound):
        yield from _of_one(of_sound, names[sound], labels, wording, training_range)


def _of_one(
    portions: Iterator[Portion],
    name: str,
    labels: Sequence[str],
    wording: Wording,
    training_range: TrainingRange | None,
) -> Iterator[Answer | Failure]:
    def notes(measures: Measures | None) -> tuple[str, ...]:
        return () if measures is None or training_range is None else tuple(training_range.notes(measures))

    first = next(portions)
    faults: list[str] = []
    windows = _windows(itertools.chain([first], portions), faults)
    said = _whole(windows, faults) if first.whole else wording.smoothing.apply(windows)
    if wording.events is not None and not first.whole:
        for event in find_events(said, labels, wording.events, wording.temperatures):
            best, of_event = ((event.label, event.peak),), notes(event.measures)
            yield Answer(name, event.start_s, event.end_s, best, mean=event.mean, notes=of_event)
    else:
        for window in said:
            calibrated_K = wording.temperatures.apply(window.score_K, window.windows)
            best = _best(window, calibrated_K, labels, wording)
            yield Answer(
                name,
                window.start_s,
                window.end_s,
                best,
                first.whole,
                score_K=calibrated_K,
                notes=notes(window.measures),
            )
    for fault in faults:
        yield Failure(name, fault)


def _windows(portions: Iterable[Portion], faults: list[str]) -> Iterator[WindowScores]:
    for portion in portions:
        yield from portion.windows
        if portion.fault is not None:
            faults.append(portion.fault)


def _whole(windows: Iterable[WindowScores], faults: list[str]) -> Iterator[WindowScores]:
    """The mean of all windows, unless the sound failed."""
    mean, end_s = WindowMean(), 0.0
    measures: list[Measures] = []
    for window in windows:
        mean.add(window.score_K, window.windows)
        end_s = max(end_s, window.end_s)
        measures += [] if window.measures is None else [window.measures]
    if mean.windows and not faults:
        typical = median(measures) if measures else None
        yield WindowScores(0.0, end_s, mean.value(), mean.windows, typical)


def _best(
    window: WindowScores, calibrated_K: np.ndarray, labels: Sequence[str], wording: Wording
) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-window.score_K, kind="stable")
    ranked = [(labels[int(k)], float(calibrated_K[k])) for k in order]
    said = named(ranked, wording.threshold, window.windows, multi_label=wording.multi_label)
    return said[: wording.top] or ((UNKNOWN, ranked[0][1]),)
