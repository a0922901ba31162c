"""The one form every data set takes: a table with a row a clip. Nothing after it knows where the clips came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Side = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Clip:
    """One row: a sound file, or a stretch of one, with what is known about it."""

    id: str
    """Path relative to the root, with forward slashes; `#1.500-3.000` (seconds) is appended for a stretch. Unique in
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
    """For tables that come with a train/val/test column instead of folds."""
    repeat: int = 0
    """How often an epoch of balanced sampling has given this clip before; 0 in every table."""

    @property
    def drawn_by(self) -> tuple[str | int, ...]:
        """What names the random streams of this clip: its id, and of a repetition its number too."""
        return (self.id, self.repeat) if self.repeat else (self.id,)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A clip that is left out by `dataset.ignore`, and why."""

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
    multi_label: bool = False
    official: bool = False
    """Whole, with the folds its authors published: a mean over all of them may be compared with the literature."""
    licence: str | None = None
    notes: tuple[str, ...] = field(default=())
    """What the reader should be told: rows left out, folds made by us, ..."""

    ignored: tuple[Ignored, ...] = ()
    """What `dataset.ignore` left out of the clips."""
    published_folds: bool = False
    """The folds are those that the authors published, even if classes or clips were left out afterwards."""
    recordings: Mapping[str, str] = field(default_factory=dict)
    """Recording of each clip id, once the contents of the files are known (`data/splits/recordings.py`)."""

    def recording(self, clip: Clip) -> str | None:
        """The recording that must stay on one side of a split; None for a clip that is its own."""
        return self.recordings.get(clip.id, clip.source)

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds to be tested, ascending; (1,) for a table with a train/test column."""
        if any(clip.side for clip in self.clips):
            return (1,)
        return tuple(sorted({clip.fold for clip in self.clips if clip.fold is not None}))
