"""Recordings with selection tables of Raven, as a table of windows. Tables of Audacity and CSV files are read too."""

import os
from collections.abc import Sequence
from pathlib import Path

from audiosurvey.data.annotations.annotation import AnnotatedRecording
from audiosurvey.data.annotations.reading import read_annotations
from audiosurvey.data.annotations.windowing import WindowsConfig
from audiosurvey.data.names import clip_id
from audiosurvey.data.sets.folder import refuse_equal_ids, sound_files
from audiosurvey.data.sets.windowed import Recording, windowed_table
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError, number_of, some_of

_SHOWN = 3


def read_raven(root: Path, table: Path | None, how: WindowsConfig) -> Table:
    """The windows of the recordings below `root` that have a table beside them, or of those that `table` names.

    Raises UserError for a folder without tables, tables that cannot be read, and tables without any event.
    """
    if not root.is_dir():
        reason = "is a file; expected a folder of recordings and tables" if root.exists() else "not found"
        raise UserError(f"{root.as_posix()}: {reason}; set dataset.root")
    annotated = read_annotations(table or root, lambda folder: list(sound_files(folder)))
    recordings = [Recording(_clip(root, one.path), one.events) for one in annotated]
    refuse_equal_ids(recording.clip for recording in recordings)
    recordings.sort(key=lambda recording: recording.clip.id)
    if not any(recording.events for recording in recordings):
        raise UserError(f"{(table or root).as_posix()}: the tables list no event; expected some, each with a label")
    return windowed_table("raven", root, recordings, how, _without_table(root, annotated))


def _clip(root: Path, path: Path) -> Clip:
    inside = path.is_relative_to(root)
    relative = path.relative_to(root) if inside else Path(os.path.relpath(path, root))
    return Clip(clip_id(relative), path, labels=())


def _without_table(root: Path, annotated: Sequence[AnnotatedRecording]) -> list[str]:
    known = {one.path.resolve() for one in annotated}
    others = [path.relative_to(root).as_posix() for path in sound_files(root) if path.resolve() not in known]
    if not others:
        return []
    mend = "an empty table means that a recording has no events"
    found = number_of(len(others), "recording without a table is", "recordings without a table are")
    return [f"{found} left out ({some_of(others, _SHOWN)}); {mend}"]
