"""From the scores of sounds to what is said of them: one answer a sound, a window, or an event."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from audiosurvey.data.measures import Measures, median
from audiosurvey.deploy.decision import UNKNOWN, Threshold, reaches
from audiosurvey.deploy.events import EventRule, find_events
from audiosurvey.deploy.scan import Portion
from audiosurvey.deploy.smoothing import Smoothing
from audiosurvey.deploy.stream import WindowScores
from audiosurvey.deploy.training_range import TrainingRange


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
    """All scores, in the order of the labels; none for an event."""
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
    """So many labels an answer."""
    threshold: Threshold | None = None
    """What a label needs to be said."""
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
        for event in find_events(said, labels, wording.events):
            yield Answer(
                name,
                event.start_s,
                event.end_s,
                ((event.label, event.peak),),
                mean=event.mean,
                notes=notes(event.measures),
            )
    else:
        for window in said:
            best = _best(window.score_K, labels, wording)
            said_of = notes(window.measures)
            yield Answer(name, window.start_s, window.end_s, best, first.whole, score_K=window.score_K, notes=said_of)
    for fault in faults:
        yield Failure(name, fault)


def _windows(portions: Iterable[Portion], faults: list[str]) -> Iterator[WindowScores]:
    for portion in portions:
        yield from portion.windows
        if portion.fault is not None:
            faults.append(portion.fault)


def _whole(windows: Iterable[WindowScores], faults: list[str]) -> Iterator[WindowScores]:
    """The mean of all windows, unless the sound failed."""
    total_K, count, end_s = np.zeros(0), 0, 0.0
    measures: list[Measures] = []
    for window in windows:
        total_K = window.score_K.astype(np.float64) + (total_K if count else 0)
        count, end_s = count + 1, max(end_s, window.end_s)
        measures += [] if window.measures is None else [window.measures]
    if count and not faults:
        mean_K = (total_K / count).astype(np.float32)
        yield WindowScores(0.0, end_s, mean_K, median(measures) if measures else None)


def _best(score_K: np.ndarray, labels: Sequence[str], wording: Wording) -> tuple[tuple[str, float], ...]:
    scored = [(labels[int(k)], float(score_K[k])) for k in np.argsort(-score_K, kind="stable")]
    said = [(label, score) for label, score in scored if reaches(label, score, wording.threshold)]
    return tuple(said[: wording.top]) or ((UNKNOWN, scored[0][1]),)
