"""A model on recordings whose events are known: windows, events, scores."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.load import load
from audiosurvey.data.annotations.annotation import AnnotatedRecording, Annotation
from audiosurvey.data.annotations.reading import read_annotations
from audiosurvey.detection.psds import ScoredRecording
from audiosurvey.detection.scoring import DetectedRecording, DetectionScores, Measure, score_detections
from audiosurvey.errors import UserError, some_of
from audiosurvey.predict.events import find_events
from audiosurvey.predict.options import PredictOptions
from audiosurvey.predict.postprocessing import FailedSound, Postprocessing
from audiosurvey.predict.sources import FileSource, find_sources
from audiosurvey.predict.stream import WindowScores
from audiosurvey.predict.window_scoring import Windowing, score_sources

_SHOWN = 3


@dataclass(frozen=True)
class EventEvaluation:
    """Scores of a model on recordings whose events are known."""

    model: str
    scores: DetectionScores
    recordings: list[DetectedRecording]
    notes: list[str] = field(default_factory=list)
    failures: list[FailedSound] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        failed = [{"name": one.name, "reason": one.reason} for one in self.failures]
        return {"model": self.model, **self.scores.as_json(), "notes": self.notes, "failures": failed}


def evaluate_events(
    path: str,
    annotations: Path,
    options: PredictOptions,
    measure: Measure = Measure(),
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> EventEvaluation:
    """Scores the model at `path` on the recordings of a table or folder of annotations.

    `options`: windows, smoothing and thresholds, as for `predict`; `progress`: called with the recordings done and
    their number. A recording that cannot be read is left out and named. Raises UserError for annotations that cannot be
    read, and if none has a label of the model.
    """
    recordings = read_annotations(annotations, lambda folder: [source.path for source in _sounds(folder)])
    model = load(path, trust=options.trust)
    model.to(options.device)
    known, notes = _known_events(recordings, model.labels, annotations)
    how = options.postprocessing(model)
    # Short recordings too: an event has a start and an end.
    windowing = replace(options.windowing(), mode="windows")
    found, failures = detect(model, known, windowing, how, progress)
    if not found:
        raise UserError(*(f"{one.name}: {one.reason}" for one in failures))
    return EventEvaluation(path, score_detections(found, model.labels, measure), found, notes, failures)


def detect(
    model: Classifier,
    recordings: Sequence[AnnotatedRecording],
    windowing: Windowing,
    how: Postprocessing,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[list[DetectedRecording], list[FailedSound]]:
    """The events found in recordings, and those that cannot be read to their end."""
    assert how.events is not None, "windows are joined into events"
    sources = [FileSource(one.path, one.path.as_posix(), one.path.stat().st_size) for one in recordings]
    detected: list[DetectedRecording] = []
    failures: list[FailedSound] = []
    groups = itertools.chain.from_iterable(score_sources(model, sources, windowing))
    for sound, of_sound in itertools.groupby(groups, lambda group: group.sound):
        parts = list(of_sound)
        name = sources[sound].name
        fault = next((part.fault for part in parts if part.fault), None)
        if fault or not any(part.windows for part in parts):
            failures.append(FailedSound(name, fault or "contains no sound"))
        else:
            windows = list(how.smoothing.apply(window for part in parts for window in part.windows))
            events = find_events(windows, model.labels, how.events, how.temperatures)
            found = [Annotation(event.label, event.start_s, event.end_s) for event in events]
            scored = scored_recording(windows, recordings[sound].events, how)
            detected.append(DetectedRecording(name, found, scored))
        progress(len(detected) + len(failures), len(sources))
    return detected, failures


def scored_recording(
    windows: Sequence[WindowScores], true: Sequence[Annotation], how: Postprocessing
) -> ScoredRecording:
    """The calibrated scores of the windows of one recording."""
    return ScoredRecording(
        np.array([window.start_s for window in windows]),
        np.array([window.end_s for window in windows]),
        np.stack([how.temperatures.apply(window.score_K, window.windows) for window in windows]),
        true,
        windows[-1].end_s,
    )


def _sounds(folder: Path) -> Sequence[FileSource]:
    try:
        return find_sources([str(folder)])
    except UserError:
        return []


def _known_events(
    recordings: Sequence[AnnotatedRecording], labels: Sequence[str], annotations: Path
) -> tuple[list[AnnotatedRecording], list[str]]:
    """The recordings with the events that have a label of the model, and a note on the others."""
    unknown = [event.label for one in recordings for event in one.events if event.label not in labels]
    if unknown and len(unknown) == sum(len(one.events) for one in recordings):
        raise UserError(
            f"{annotations.as_posix()}: no event has a label of the model; it knows {some_of(labels, 10)}, and the "
            f"events are {some_of(sorted(set(unknown)), 10)}"
        )
    kept = [
        AnnotatedRecording(one.path, tuple(event for event in one.events if event.label in labels))
        for one in recordings
    ]
    if not unknown:
        return kept, []
    named = some_of(sorted(set(unknown)), _SHOWN)
    return kept, [f"{len(unknown)} events with labels that the model does not know are left out: {named}"]
