"""Scores of detected events against annotations: event-based, segment-based, and over all thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.detection.counts import Counts
from audiosurvey.detection.matching import Collar, count_events
from audiosurvey.detection.psds import ScoredRecording, psds
from audiosurvey.detection.segments import count_segments

ONSET_S = 1.5
SEGMENT_S = 1.0


@dataclass(frozen=True)
class Measure:
    """How events are compared."""

    onset_s: float = ONSET_S
    """Most seconds between the starts of a true event and the one that was found."""
    offset_share: float | None = None
    """Most seconds between their ends, as a share of the true length, at least `onset_s`; None: ends do not matter."""
    segment_s: float = SEGMENT_S
    """Length of a segment in seconds."""

    @property
    def collar(self) -> Collar:
        return Collar(self.onset_s, self.offset_share)


@dataclass(frozen=True)
class DetectedRecording:
    """One recording: what is in it, and what was found."""

    name: str
    found: Sequence[Annotation]
    scored: ScoredRecording
    """Its windows, and the true events."""

    @property
    def true(self) -> Sequence[Annotation]:
        return self.scored.true


@dataclass(frozen=True)
class RecordingScore:
    """Counts of one recording over all labels."""

    name: str
    events: Counts
    segments: Counts

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "events": self.events.as_json(), "segments": self.segments.as_json()}


@dataclass(frozen=True)
class LabelScore:
    """Counts of one label over all recordings."""

    label: str
    events: Counts
    segments: Counts

    def as_json(self) -> dict[str, Any]:
        return {"label": self.label, "events": self.events.as_json(), "segments": self.segments.as_json()}


@dataclass(frozen=True)
class DetectionScores:
    """How well the events of a set of recordings were found."""

    measure: Measure
    seconds: float
    """Of sound."""
    events: Counts
    """Over all recordings and labels."""
    segments: Counts
    psds: float | None
    """None if there are no events."""
    labels: list[LabelScore]
    """Those that are in the annotations or were found."""
    recordings: list[RecordingScore] = field(default_factory=list)

    @property
    def false_alarms_an_hour(self) -> float:
        """Events found that match no true event of their label."""
        return (self.events.found - self.events.hits) / (self.seconds / 3600)

    @property
    def summary(self) -> dict[str, float | None]:
        """The figures of `DetectionSettings.measured`."""
        rounded = {
            "event_f1": self.events.f1,
            "segment_f1": self.segments.f1,
            "false_alarms_an_hour": self.false_alarms_an_hour,
        }
        return {name: None if value is None else round(value, 4) for name, value in rounded.items()}

    def mean_f1(self, kind: str) -> float | None:
        """Mean of the F1 scores of the labels; `kind`: events or segments."""
        known = [score for label in self.labels if (score := getattr(label, kind).f1) is not None]
        return float(np.mean(known)) if known else None

    def as_json(self) -> dict[str, Any]:
        return {
            "measure": vars(self.measure),
            "seconds": self.seconds,
            "events": self.events.as_json() | {"mean_f1": self.mean_f1("events")},
            "segments": self.segments.as_json() | {"mean_f1": self.mean_f1("segments")},
            "psds": self.psds,
            "false_alarms_an_hour": self.false_alarms_an_hour,
            "labels": [label.as_json() for label in self.labels],
            "recordings": [one.as_json() for one in self.recordings],
        }


def score_detections(
    recordings: Sequence[DetectedRecording], labels: Sequence[str], measure: Measure = Measure()
) -> DetectionScores:
    """Scores of all recordings. `labels`: those of the model, which all events have."""
    counted = [
        (
            count_events(one.true, one.found, labels, measure.collar),
            count_segments(one.true, one.found, labels, measure.segment_s),
        )
        for one in recordings
    ]
    by_label = [
        LabelScore(
            label,
            sum((events[1][label] for events, _ in counted), Counts()),
            sum((segments[1][label] for _, segments in counted), Counts()),
        )
        for label in labels
    ]
    scored = [one.scored for one in recordings]
    return DetectionScores(
        measure,
        sum(one.seconds for one in scored),
        sum((events[0] for events, _ in counted), Counts()),
        sum((segments[0] for _, segments in counted), Counts()),
        psds(scored, labels) if any(one.true for one in scored) else None,
        [one for one in by_label if one.events.true or one.events.found],
        [
            RecordingScore(one.name, events[0], segments[0])
            for one, (events, segments) in zip(recordings, counted, strict=True)
        ],
    )
