"""The settings with which a model finds events best, chosen on recordings whose events are known.

Each window length is scored once; smoothing and thresholds are tried on its scores. What the choice is worth is
measured on recordings that had no part in it: each half is scored with the settings that are best on the other half.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.detection import DetectionSettings
from audiosurvey.artefact.folder import find_model, load_artefact, store_detection
from audiosurvey.data.annotations.annotation import AnnotatedRecording
from audiosurvey.detection.recordings import Progress, known_recordings, windows_of
from audiosurvey.detection.scoring import DetectionScores, Measure
from audiosurvey.detection.search import Length, SettingsSearch, window_lengths
from audiosurvey.errors import UserError
from audiosurvey.prediction.postprocessing import FailedSound
from audiosurvey.prediction.stream import WindowScores

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
    chosen, held_out = search.settled(f"{len(every)} recordings ({annotations.name})")
    before = search.scores(dict.fromkeys(every, model.detection))
    file = store_detection(folder, chosen)
    return TunedDetection(chosen, model.detection, before, held_out, file, notes, failures)


def _scored(
    model: Classifier, recordings: Sequence[AnnotatedRecording], measure: Measure, progress: Progress
) -> tuple[SettingsSearch, list[FailedSound]]:
    """The search on the recordings that can be read, and the others."""
    lengths = list(dict.fromkeys([*window_lengths(model), (model.detection.window_s, model.detection.hop_s)]))
    scored: dict[Length, list[list[WindowScores] | FailedSound]] = {}
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
    return SettingsSearch(model, [recordings[row] for row in good], windows, measure), list(failures.values())
