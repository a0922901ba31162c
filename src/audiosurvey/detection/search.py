"""The search for detection settings on recordings whose windows are scored and whose events are known.

Smoothing and thresholds are tried on the scores of each window length. What the choice is worth is measured on
recordings that had no part in it: each half is scored with the settings that are best on the other half.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.detection import DetectionSettings
from audiosurvey.data.annotations.annotation import AnnotatedRecording, Annotation
from audiosurvey.detection.counts import Counts
from audiosurvey.detection.detecting import detected, prepared, rule_of
from audiosurvey.detection.matching import count_events
from audiosurvey.detection.scoring import DetectionScores, Measure, score_detections
from audiosurvey.detection.segments import count_segments
from audiosurvey.prediction.events import RankedWindow, join_events, rank
from audiosurvey.prediction.stream import WindowScores

Length = tuple[float, float]
"""Window and hop in seconds."""
_Prepared = tuple[float, float, int, bool]
"""Window, hop, windows to smooth over, and whether the background is removed."""
SHARES = (1.0, 0.5, 0.25)
"""Window lengths that are tried, as fractions of the model's window, each with a hop of half a window."""
SMOOTH = (1, 3, 5)
IMPROVED = 2
"""So many of the best settings get scores of their own for labels."""
ON = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
OFF_SHARES = (None, 0.5)
"""An event continues down to this fraction of the score at which it begins; None: no lower."""
BACKGROUND = (False, True)
"""Whether the background is removed."""
LEAST_GAIN = 0.005
"""A label gets its own score if that adds at least this much to the sum of both F1 scores."""


@dataclass
class SettingsSearch:
    """Tries settings on scored recordings, which are referred to by their indices."""

    model: Classifier
    recordings: list[AnnotatedRecording]
    windows: dict[Length, list[list[WindowScores]]]
    """Of each recording, by window and hop."""
    measure: Measure

    def __post_init__(self) -> None:
        every = range(len(self.recordings))
        self._smoothed: dict[_Prepared, list[list[WindowScores]]] = {}
        self._ranks: dict[_Prepared, list[list[RankedWindow]]] = {}
        self._counted: dict[tuple[int, tuple[Annotation, ...]], tuple[Counts, Counts]] = {}
        """Counts by recording and events: many settings find the same."""
        self._counts = {settings: [self._count(settings, row) for row in every] for settings in self._candidates()}

    def settled(self, tuned_on: str) -> tuple[DetectionSettings, DetectionScores | None]:
        """The best settings on all recordings, and what such settings are worth on others (`held_out`).

        `tuned_on`: the recordings in words.
        """
        worth = self.held_out()
        measured = {} if worth is None else worth.summary
        return replace(self.best(range(len(self.recordings))), tuned_on=tuned_on, measured=measured), worth

    def best(self, which: Sequence[int]) -> DetectionSettings:
        """The best on these recordings: of the best of each window length, with and without removal
        of the background, the two best ones improved label by label; of equal ones, that with the longest windows, and
        without removal."""

        def value(settings: DetectionSettings) -> float:
            return _value([self._counts[settings][row] for row in which])

        groups = {(length, removed) for length in self.windows for removed in BACKGROUND}
        of_group = [
            [one for one in self._counts if ((one.window_s, one.hop_s), one.background) == group]
            for group in sorted(groups, key=lambda group: (-group[0][0], group[1]))
        ]
        best = sorted((max(some, key=value) for some in of_group), key=value, reverse=True)
        improved = [self._with_labels(one, which) for one in best[:IMPROVED]]
        return max(improved, key=lambda found: found[1])[0]

    def _with_labels(self, settings: DetectionSettings, which: Sequence[int]) -> tuple[DetectionSettings, float]:
        """The settings with scores of their own for the labels that gain by them, one label after the other, and what
        they are worth."""
        best = _value([self._counts[settings][row] for row in which])
        for label in self.model.labels:
            for on in ON:
                if on == settings.on or (settings.off is not None and on < settings.off):
                    continue
                tried = replace(settings, labels={**settings.labels, label: on})
                value = _value([self._count(tried, row) for row in which])
                if value > best + LEAST_GAIN:
                    best, settings = value, tried
        return settings, best

    def held_out(self) -> DetectionScores | None:
        """The scores of each half of the recordings with the best settings of the other half; None if a half has no
        events."""
        halves = range(0, len(self.recordings), 2), range(1, len(self.recordings), 2)
        if not all(any(self.recordings[row].events for row in half) for half in halves):
            return None
        first, second = map(self.best, halves)
        return self.scores(dict.fromkeys(halves[0], second) | dict.fromkeys(halves[1], first))

    def scores(self, settings: dict[int, DetectionSettings]) -> DetectionScores:
        """With settings for each recording."""
        found = [
            detected(self.recordings[row], self._windows(one)[row], self.model, rule_of(one, self.model))
            for row, one in sorted(settings.items())
        ]
        return score_detections(found, self.model.labels, self.measure)

    def _candidates(self) -> Iterator[DetectionSettings]:
        for window_s, hop_s in self.windows:
            for smooth in SMOOTH:
                for on in ON:
                    for share in OFF_SHARES:
                        off = None if share is None else round(share * on, 3)
                        for background in BACKGROUND:
                            yield DetectionSettings(window_s, hop_s, smooth, on, off, background=background)

    def _windows(self, settings: DetectionSettings) -> list[list[WindowScores]]:
        """The smoothed windows of each recording; many settings differ only in their scores."""
        length = settings.window_s, settings.hop_s
        key = (*length, settings.smooth, settings.background)
        if key not in self._smoothed:
            self._smoothed[key] = [prepared(windows, settings, self.model) for windows in self.windows[length]]
        return self._smoothed[key]

    def _ranked(self, settings: DetectionSettings) -> list[list[RankedWindow]]:
        key = (settings.window_s, settings.hop_s, settings.smooth, settings.background)
        if key not in self._ranks:
            labels, by = self.model.labels, self.model.temperatures
            # Nothing here asks for the recording conditions of events.
            self._ranks[key] = [
                [rank(replace(one, measures=None), labels, by) for one in windows]
                for windows in self._windows(settings)
            ]
        return self._ranks[key]

    def _count(self, settings: DetectionSettings, row: int) -> tuple[Counts, Counts]:
        """The counts of events and segments in a recording."""
        found = join_events(self._ranked(settings)[row], self.model.labels, rule_of(settings, self.model))
        events = tuple(Annotation(event.label, event.start_s, event.end_s) for event in found)
        if (row, events) not in self._counted:
            recording, labels = self.recordings[row], self.model.labels
            of_events, _ = count_events(recording.events, events, labels, self.measure.collar)
            of_segments, _ = count_segments(recording.events, events, labels, self.measure.segment_s)
            self._counted[row, events] = of_events, of_segments
        return self._counted[row, events]


def _value(counts: Sequence[tuple[Counts, Counts]]) -> float:
    """The sum of event F1 and segment F1."""
    events, segments = (sum(kind, Counts()) for kind in zip(*counts, strict=True))
    return (events.f1 or 0.0) + (segments.f1 or 0.0)


def window_lengths(model: Classifier, most: int | None = None) -> list[Length]:
    """The windows and hops that are tried; `most`: only so many, the longest."""
    own_s = model.clip_samples / model.sample_rate
    return [(own_s * share, own_s * share / 2) for share in SHARES[:most]]
