"""The one form that every data set takes: a table with a row per clip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

Side = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Clip:
    """One row: a sound file, or a segment of one, and what is known about it."""

    id: str
    """Path relative to the root, with forward slashes; `#1.500-3.000` (seconds) is appended for a segment. Unique in
    the table, the same on every machine: random streams and predictions are keyed by it."""
    path: Path
    labels: tuple[int, ...]
    """Indices into `Table.classes`; exactly one unless the table is multi-label."""
    fold: int | None = None
    """Fold in which this clip is tested, from 1."""
    source: str | None = None
    """The recording it was cut from (ESC-50 `src_file`, UrbanSound8K `fsID`); clips of one source stay together."""
    global_source: bool = False
    """Whether the name of the source means the same recording in other data sets too (Freesound ids, a `source`
    column). Names derived from file names do not: two recorders may name their files alike."""
    start_s: float | None = None
    end_s: float | None = None
    side: Side | None = None
    """For tables with a train/val/test split instead of folds."""
    other: bool = False
    """A sound of none of the classes (`dataset.other`). It is in no table, and so in no metric."""
    repeat: int = 0
    """How often balanced sampling has already used this clip in the epoch; 0 in every table."""

    @property
    def drawn_by(self) -> tuple[str | int, ...]:
        """Key of this clip's random streams: its id, and for a repetition its number."""
        return (self.id, self.repeat) if self.repeat else (self.id,)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A clip that `dataset.ignore` leaves out, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Table:
    """A data set: classes in the order of the network's outputs, and the clips."""

    name: str
    root: Path
    classes: tuple[str, ...]
    clips: tuple[Clip, ...]
    subset: str | None = None
    given_title: str | None = None
    """`dataset.title`."""
    multi_label: bool = False
    official: bool = False
    """Whole, with the folds its authors published: a mean over all of them may be compared with the literature."""
    licence: str | None = None
    notes: tuple[str, ...] = field(default=())
    """What the reader should know: rows left out, generated folds, ..."""
    ignored: tuple[Ignored, ...] = ()
    """Clips left out by `dataset.ignore`."""
    published: bool = False
    """Whether the authors of the data set defined folds or a split, as `DatasetSpec.published` says."""
    published_folds: bool = False
    """The folds are those that the authors published, even if classes or clips were left out afterwards."""
    spread_sources: frozenset[str] = frozenset()
    """Recordings known to be in several folds as published."""
    twin_sources: frozenset[str] = frozenset()
    """Recordings known to overlap with one of another name in another fold, as published."""
    recordings: Mapping[str, str] = field(default_factory=dict)
    """Recording of each clip id, once the contents of the files are known (`data/splits/recordings.py`)."""

    @property
    def title(self) -> str:
        """What a reader is shown: the title, else the name and the subset."""
        return self.given_title or self.name + (f" ({self.subset})" if self.subset else "")

    def recording(self, clip: Clip) -> str | None:
        """The recording that must stay on one side of a split; None for a clip that is its own."""
        return self.recordings.get(clip.id, clip.source)

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds to be tested, ascending; (1,) for a table with a train/test split."""
        if any(clip.side for clip in self.clips):
            return (1,)
        return tuple(sorted({clip.fold for clip in self.clips if clip.fold is not None}))


def clips_by_class(clips: Iterable[Clip], num_classes: int) -> list[list[Clip]]:
    """The clips of each class in their order, from one pass; a clip of several labels is in each of its classes."""
    found: list[list[Clip]] = [[] for _ in range(num_classes)]
    for clip in clips:
        for label in clip.labels:
            found[label].append(clip)
    return found


def truth(clips: Sequence[Clip], num_classes: int) -> np.ndarray:
    """The labels of the clips as float32 (N, K) of 0 and 1."""
    truth_NK = np.zeros((len(clips), num_classes), dtype=np.float32)
    for row, clip in enumerate(clips):
        truth_NK[row, list(clip.labels)] = 1
    return truth_NK
