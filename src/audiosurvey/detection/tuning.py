"""The settings with which a model finds events best, chosen on recordings whose events are known.

Each window length is scored once; smoothing and thresholds are tried on its scores. What the choice is worth is
measured on recordings that had no part in it: each half is scored with the settings that are best on the other half.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.detection import DetectionSettings
from audiosurvey.artefact.folder import find_model, load_artefact, store_detection
from audiosurvey.data.annotations.annotation import AnnotatedRecording
from audiosurvey.detection.counts import Counts
from audiosurvey.detection.detecting import detected, events_in, rule_of
from audiosurvey.detection.matching import count_events
from audiosurvey.detection.recordings import Progress, known_recordings, windows_of
from audiosurvey.detection.scoring import DetectionScores, Measure, score_detections
from audiosurvey.detection.segments import count_segments
from audiosurvey.errors import UserError
from audiosurvey.prediction.postprocessing import FailedSound
from audiosurvey.prediction.smoothing import Smoothing
from audiosurvey.prediction.stream import WindowScores

SHARES = (1.0, 0.5, 0.25)
"""Window lengths that are tried, as fractions of the model's window, each with a hop of half a window."""
SMOOTH = (1, 3, 5)
ON = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
OFF_SHARES = (None, 0.5)
"""An event continues down to this fraction of the score at which it begins; None: no lower."""
LEAST_GAIN = 0.005
"""A label gets its own score if that adds at least this much to the sum of both F1 scores."""
_BATCH = 16


@dataclass(frozen=True)
class TunedDetection:
    """Settings and their scores."""

    settings: DetectionSettings
    earlier: DetectionSettings
    """Those that the model had."""
    before: DetectionScores
    """With the earlier settings."""
    held_out: DetectionScores | None
    """With settings that were chosen on other recordings; None if there are too few of them."""
    file: Path
    """Where the settings are stored."""
    notes: list[str] = field(default_factory=list)
    failures: list[FailedSound] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "settings": self.settings.as_json(),
            "earlier": self.earlier.as_json(),
            "before": self.before.as_json(),
            "held_out": self.held_out.as_json() if self.held_out else None,
            "file": self.file.as_posix(),
            "notes": self.notes,
            "failures": [asdict(one) for one in self.failures],
        }


def tune_detection(
    path: Path,
    annotations: Path,
    measure: Measure = Measure(),
    *,
    device: str = "auto",
    progress: Progress = lambda done, of: None,
) -> TunedDetection:
    """Chooses the settings of the model in the folder `path`, and stores them in its model.json.

    The best settings have the highest mean of event F1 and segment F1 over all labels. A recording that cannot be read
    is left out and named. Raises UserError as `evaluate_events` does, and for annotations without any event.
    """
    folder = find_model(path)
    model = load_artefact(folder)
    model.to(device)
    recordings, notes = known_recordings(annotations, model.labels)
    if not any(one.events for one in recordings):
        raise UserError(f"{annotations.as_posix()}: no events; settings are chosen by how well events are found")
    search, failures = _scored(model, recordings, measure, progress)
    every = range(len(search.recordings))
    chosen = replace(search.best(every), tuned_on=f"{len(every)} recordings ({annotations.name})")
    before = search.scores(dict.fromkeys(every, model.detection))
    held_out = search.held_out()
    file = store_detection(folder, chosen)
    return TunedDetection(chosen, model.detection, before, held_out, file, notes, failures)


def _scored(
    model: Classifier, recordings: Sequence[AnnotatedRecording], measure: Measure, progress: Progress
) -> tuple["_SettingsSearch", list[FailedSound]]:
    """The search on the recordings that can be read, and the others."""
    own_s = model.clip_samples / model.sample_rate
    lengths = [(own_s * share, own_s * share / 2) for share in SHARES]
    lengths = list(dict.fromkeys([*lengths, (model.detection.window_s, model.detection.hop_s)]))
    scored: dict[tuple[float, float], list[list[WindowScores] | FailedSound]] = {}
    for number, length in enumerate(lengths):
        scored[length] = []
        for one in windows_of(model, recordings, *length, _BATCH):
            scored[length].append(one)
            progress(number * len(recordings) + len(scored[length]), len(lengths) * len(recordings))
    failures = {one.name: one for found in scored.values() for one in found if isinstance(one, FailedSound)}
    good = [row for row, one in enumerate(recordings) if one.path.as_posix() not in failures]
    if not good:
        raise UserError(*(f"{one.name}: {one.reason}" for one in failures.values()))
    windows = {
        length: [one for row, one in enumerate(found) if row in good and not isinstance(one, FailedSound)]
        for length, found in scored.items()
    }
    return _SettingsSearch(model, [recordings[row] for row in good], windows, measure), list(failures.values())


@dataclass
class _SettingsSearch:
    """Tries settings on scored recordings, which are referred to by their indices."""

    model: Classifier
    recordings: list[AnnotatedRecording]
    windows: dict[tuple[float, float], list[list[WindowScores]]]
    """Of each recording, by window and hop."""
    measure: Measure

    def __post_init__(self) -> None:
        every = range(len(self.recordings))
        self._smoothed: dict[tuple[float, float, int], list[list[WindowScores]]] = {}
        self._counts = {settings: [self._count(settings, row) for row in every] for settings in self._candidates()}

    def best(self, which: Sequence[int]) -> DetectionSettings:
        """The best on these recordings: the best of each window length, improved label by label, and of these the best;
        of equal ones, that with the longest windows."""

        def value(settings: DetectionSettings) -> float:
            return _value([self._counts[settings][row] for row in which])

        of_length = [[one for one in self._counts if (one.window_s, one.hop_s) == length] for length in self.windows]
        improved = [self._with_labels(max(some, key=value), which) for some in of_length]
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
                        yield DetectionSettings(window_s, hop_s, smooth, on, off)

    def _windows(self, settings: DetectionSettings) -> list[list[WindowScores]]:
        """The smoothed windows of each recording; many settings differ only in their scores."""
        length = settings.window_s, settings.hop_s
        key = (*length, settings.smooth)
        if key not in self._smoothed:
            smoothing = Smoothing(settings.smooth)
            self._smoothed[key] = [list(smoothing.apply(windows)) for windows in self.windows[length]]
        return self._smoothed[key]

    def _count(self, settings: DetectionSettings, row: int) -> tuple[Counts, Counts]:
        """The counts of events and segments in a recording."""
        recording, labels = self.recordings[row], self.model.labels
        events = events_in(self._windows(settings)[row], self.model, rule_of(settings, self.model))
        of_events, _ = count_events(recording.events, events, labels, self.measure.collar)
        of_segments, _ = count_segments(recording.events, events, labels, self.measure.segment_s)
        return of_events, of_segments


def _value(counts: Sequence[tuple[Counts, Counts]]) -> float:
    """The sum of event F1 and segment F1."""
    events, segments = (sum(kind, Counts()) for kind in zip(*counts, strict=True))
    return (events.f1 or 0.0) + (segments.f1 or 0.0)
