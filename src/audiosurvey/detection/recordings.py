"""Recordings whose events are known, and the windows of each as a model scores them."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.data.annotations.annotation import AnnotatedRecording
from audiosurvey.data.annotations.reading import read_annotations
from audiosurvey.errors import UserError, number_of, some_of
from audiosurvey.prediction.postprocessing import FailedSound
from audiosurvey.prediction.sources import FileSource, find_sources
from audiosurvey.prediction.stream import WindowScores
from audiosurvey.prediction.window_scoring import Windowing, score_sources

Progress = Callable[[int, int], None]
"""Called with the recordings that are done, and their number."""
_LABELS_SHOWN, _UNKNOWN_SHOWN = 10, 3


def known_recordings(annotations: Path, labels: Sequence[str]) -> tuple[list[AnnotatedRecording], list[str]]:
    """The recordings of a table or folder with those events that have one of these labels, and a note on the others.

    Raises UserError for annotations that cannot be read, and if no event has such a label.
    """
    recordings = read_annotations(annotations, _sounds_below)
    unknown = [event.label for one in recordings for event in one.events if event.label not in labels]
    if unknown and len(unknown) == sum(len(one.events) for one in recordings):
        raise UserError(
            f"{annotations.as_posix()}: no event has a label of the model; it knows {some_of(labels, _LABELS_SHOWN)}, "
            f"and the events are {some_of(sorted(set(unknown)), _LABELS_SHOWN)}"
        )
    kept = [
        AnnotatedRecording(one.path, tuple(event for event in one.events if event.label in labels))
        for one in recordings
    ]
    if not unknown:
        return kept, []
    named = some_of(sorted(set(unknown)), _UNKNOWN_SHOWN)
    events = number_of(len(unknown), "event with a label", "events with labels")
    return kept, [f"left out: {events} that the model does not know ({named})"]


def windows_of(
    model: Classifier, recordings: Sequence[AnnotatedRecording], window_s: float, hop_s: float, batch_size: int
) -> Iterator[list[WindowScores] | FailedSound]:
    """The windows of one recording after another, also of short ones; or why one cannot be read to its end."""
    windowing = Windowing("windows", window_s, hop_s, batch_size)
    sources = [FileSource(one.path, one.path.as_posix(), one.path.stat().st_size) for one in recordings]
    groups = itertools.chain.from_iterable(score_sources(model, sources, windowing))
    for sound, of_sound in itertools.groupby(groups, lambda group: group.sound):
        parts = list(of_sound)
        fault = next((part.fault for part in parts if part.fault), None)
        windows = [window for part in parts for window in part.windows]
        if fault or not windows:
            yield FailedSound(sources[sound].name, fault or "contains no sound")
        else:
            yield windows


def _sounds_below(folder: Path) -> list[Path]:
    try:
        return [source.path for source in find_sources([str(folder)])]
    except UserError:
        return []
