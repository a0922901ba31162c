"""From the windows of a recording to the events found in it."""

from collections.abc import Sequence

import numpy as np

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.detection import DetectionSettings
from audiosurvey.data.annotations.annotation import AnnotatedRecording, Annotation
from audiosurvey.detection.psds import ScoredRecording
from audiosurvey.detection.scoring import DetectedRecording
from audiosurvey.prediction.background import BackgroundRemoval
from audiosurvey.prediction.events import EventRule, find_events, middle
from audiosurvey.prediction.smoothing import Smoothing
from audiosurvey.prediction.stream import WindowScores


def events_in(windows: Sequence[WindowScores], model: Classifier, rule: EventRule) -> list[Annotation]:
    """The events found in a recording, in the order of their ends. `windows`: smoothed."""
    events = find_events(windows, model.labels, rule, model.temperatures)
    return [Annotation(event.label, event.start_s, event.end_s) for event in events]


def prepared(windows: Sequence[WindowScores], settings: DetectionSettings, model: Classifier) -> list[WindowScores]:
    """The windows of a recording as `predict` joins them into events: without background, smoothed."""
    if settings.background:
        windows = list(BackgroundRemoval.of(model).apply(windows))
    return list(Smoothing(settings.smooth).apply(windows))


def rule_of(settings: DetectionSettings, model: Classifier) -> EventRule:
    on = settings.threshold(model.labels)
    return EventRule(on, settings.off, model.multi_label, margin_s=settings.margin_s)


def detected(
    recording: AnnotatedRecording, windows: Sequence[WindowScores], model: Classifier, rule: EventRule
) -> DetectedRecording:
    """The events found in a recording, and the calibrated scores of its windows. `windows`: smoothed."""
    middles_W2 = np.array([middle(window, rule.margin_s) for window in windows])
    middles_W2[-1, 1] = windows[-1].end_s
    scored = ScoredRecording(
        middles_W2[:, 0],
        middles_W2[:, 1],
        np.stack([model.temperatures.apply(window.score_K, window.windows) for window in windows]),
        recording.events,
        windows[-1].end_s,
    )
    return DetectedRecording(recording.path.as_posix(), events_in(windows, model, rule), scored)
