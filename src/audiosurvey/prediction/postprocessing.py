"""From scores to predictions: one for each sound, window or event."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from audiosurvey.artefact.decision import UNKNOWN, Threshold, named_labels
from audiosurvey.artefact.temperature import Temperatures
from audiosurvey.artefact.training_range import TrainingRange
from audiosurvey.data.audio.measures import Measures, median
from audiosurvey.prediction.background import BackgroundRemoval
from audiosurvey.prediction.events import EventRule, find_events
from audiosurvey.prediction.smoothing import Smoothing
from audiosurvey.prediction.stream import WindowScores
from audiosurvey.prediction.window_scoring import WindowGroup
from audiosurvey.training.sound_scores import WindowMean


@dataclass(frozen=True, slots=True)
class Prediction:
    """The labels of a stretch of a sound."""

    name: str
    """The sound."""
    start_s: float
    end_s: float
    labels: tuple[tuple[str, float], ...]
    """Labels with their scores, best first; `unknown` with the highest score if no label reaches its threshold."""
    whole: bool = False
    """The stretch is the whole sound."""
    mean: float | None = None
    """For an event: the mean over its windows (its score is their peak)."""
    score_K: np.ndarray | None = None
    """All calibrated scores, in the order of the model's labels; None for an event."""
    notes: tuple[str, ...] = ()
    """How the stretch differs from the training clips."""


@dataclass(frozen=True, slots=True)
class FailedSound:
    """A sound that could not be read, or not to its end."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Postprocessing:
    """How scores become predictions."""

    top: int = 1
    """Most labels of a prediction; at most one with a threshold and exclusive classes."""
    threshold: Threshold | None = None
    """Score that a label must reach; None: the best labels are given whatever their scores."""
    multi_label: bool = False
    """Whether a sound may have several labels; else classes are exclusive."""
    temperatures: Temperatures = field(default_factory=Temperatures)
    """Calibrate the scores."""
    smoothing: Smoothing = field(default_factory=Smoothing)
    """Of windows; whole sounds are not smoothed."""
    events: EventRule | None = None
    """Join windows into events; None: a prediction for each window."""
    background: BackgroundRemoval | None = None
    """Applied to windows before they are smoothed."""
    live: bool = False
    """Whether the sound is still arriving: events then come as soon as they end, else in the order of their starts."""

    def prepared(self, windows: Iterable[WindowScores]) -> Iterator[WindowScores]:
        """The windows of a long sound without its background, smoothed."""
        return self.smoothing.apply(windows if self.background is None else self.background.apply(windows))


def make_predictions(
    groups: Iterable[WindowGroup],
    names: Sequence[str],
    labels: Sequence[str],
    how: Postprocessing,
    training_range: TrainingRange | None = None,
) -> Iterator[Prediction | FailedSound]:
    """The predictions of one sound after another, each as soon as it is known.

    The last result of a sound that fails is its failure. A sound with a single prediction then has none; predictions
    for windows and events before the fault remain. `training_range`: used for notes; None: no notes.
    """
    for _, of_sound in predictions_by_sound(groups, names, labels, how, training_range):
        yield from of_sound


def predictions_by_sound(
    groups: Iterable[WindowGroup],
    names: Sequence[str],
    labels: Sequence[str],
    how: Postprocessing,
    training_range: TrainingRange | None = None,
) -> Iterator[tuple[str, Iterator[Prediction | FailedSound]]]:
    """The name of each sound with the results of `make_predictions` for it, to be read before the next sound."""
    for sound, of_sound in itertools.groupby(groups, lambda group: group.sound):
        yield names[sound], _of_sound(of_sound, names[sound], labels, how, training_range)


def _of_sound(
    groups: Iterator[WindowGroup],
    name: str,
    labels: Sequence[str],
    how: Postprocessing,
    training_range: TrainingRange | None,
) -> Iterator[Prediction | FailedSound]:
    def notes(measures: Measures | None) -> tuple[str, ...]:
        if measures is None or training_range is None:
            return ()
        return tuple(training_range.notes(measures, cut=not first.whole))

    first = next(groups)
    faults: list[str] = []
    windows = _windows(itertools.chain([first], groups), faults)
    windows = _mean_window(windows, faults) if first.whole else how.prepared(windows)
    if how.events is not None and not first.whole:
        for event in find_events(windows, labels, how.events, how.temperatures, live=how.live):
            best = ((event.label, event.peak),)
            yield Prediction(name, event.start_s, event.end_s, best, mean=event.mean, notes=notes(event.measures))
    else:
        for window in windows:
            calibrated_K = how.temperatures.apply(window.score_K, window.windows)
            yield Prediction(
                name,
                window.start_s,
                window.end_s,
                _best_labels(window, calibrated_K, labels, how),
                first.whole,
                score_K=calibrated_K,
                notes=notes(window.measures),
            )
    for fault in faults:
        yield FailedSound(name, fault)


def _windows(groups: Iterable[WindowGroup], faults: list[str]) -> Iterator[WindowScores]:
    for group in groups:
        yield from group.windows
        if group.fault is not None:
            faults.append(group.fault)


def _mean_window(windows: Iterable[WindowScores], faults: list[str]) -> Iterator[WindowScores]:
    """The mean of all windows, unless the sound failed."""
    mean, end_s = WindowMean(), 0.0
    measures: list[Measures] = []
    for window in windows:
        mean.add(window.score_K, window.windows)
        end_s = max(end_s, window.end_s)
        measures += [] if window.measures is None else [window.measures]
    if mean.windows and not faults:
        yield WindowScores(0.0, end_s, mean.value(), mean.windows, median(measures) if measures else None)


def _best_labels(
    window: WindowScores, calibrated_K: np.ndarray, labels: Sequence[str], how: Postprocessing
) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-window.score_K, kind="stable")
    ranked = [(labels[int(k)], float(calibrated_K[k])) for k in order]
    named = named_labels(ranked, how.threshold, window.windows, multi_label=how.multi_label)
    return named[: how.top] or ((UNKNOWN, ranked[0][1]),)
