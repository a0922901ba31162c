"""A model on recordings whose events are known: windows, events, scores."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from audiosurvey.artefact.load import load
from audiosurvey.detection.detecting import detected
from audiosurvey.detection.recordings import Progress, known_recordings, windows_of
from audiosurvey.detection.scoring import DetectedRecording, DetectionScores, Measure, score_detections
from audiosurvey.errors import UserError
from audiosurvey.prediction.options import PredictOptions
from audiosurvey.prediction.postprocessing import FailedSound


@dataclass(frozen=True)
class EventEvaluation:
    """Scores of a model on recordings whose events are known."""

    model: str
    how: str
    """Windows, smoothing and the scores at which events begin and end."""
    scores: DetectionScores
    recordings: list[DetectedRecording]
    notes: list[str] = field(default_factory=list)
    failures: list[FailedSound] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "how": self.how,
            **self.scores.as_json(),
            "notes": self.notes,
            "failures": [asdict(one) for one in self.failures],
        }


def evaluate_events(
    path: str,
    annotations: Path,
    options: PredictOptions,
    measure: Measure = Measure(),
    progress: Progress = lambda done, of: None,
) -> EventEvaluation:
    """Scores the model at `path` on the recordings of a table or folder of annotations.

    `options`: windows, smoothing and thresholds, as for `predict`. A recording that cannot be read is left out and
    named. Raises UserError for annotations that cannot be read, and if none has a label of the model.
    """
    model = load(path, trust=options.trust)
    model.to(options.device)
    recordings, notes = known_recordings(annotations, model.labels)
    settings, how = options.detection(model), options.postprocessing(model)
    assert how.events is not None, "windows are joined into events"
    found: list[DetectedRecording] = []
    failures: list[FailedSound] = []
    each = windows_of(model, recordings, settings.window_s, settings.hop_s, options.batch_size)
    for done, (recording, windows) in enumerate(zip(recordings, each, strict=True), 1):
        if isinstance(windows, FailedSound):
            failures.append(windows)
        else:
            found.append(detected(recording, list(how.prepared(windows)), model, how.events))
        progress(done, len(recordings))
    if not found:
        raise UserError(*(f"{one.name}: {one.reason}" for one in failures))
    return EventEvaluation(
        path, options.described(model), score_detections(found, model.labels, measure), found, notes, failures
    )
