"""Recognises the data set at a path: from the root of a data set, or a CSV, to the `dataset` section that reads it."""

from pathlib import Path
from typing import Any

from audiosurvey.data.annotations.table_rows import is_selection_table
from audiosurvey.data.csv_rows import read_rows
from audiosurvey.data.dataset import DEFAULT_CLIP_SECONDS, DatasetConfig
from audiosurvey.data.names import clip_id
from audiosurvey.data.sets.csv_columns import ColumnsConfig
from audiosurvey.data.sets.folder import is_hidden, refuse_equal_ids, sound_files
from audiosurvey.data.sets.registry import specs
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError

TABLES = (".csv", ".tsv")


def dataset_at(path: Path) -> DatasetConfig:
    """The section for the data set at `path`: a published set, a CSV, selection tables, else class folders.

    Raises UserError for a faulty table of a published set.
    """
    if path.is_file():
        return _section(name="csv", root=path.parent, table=path)
    for spec in specs():
        if spec.marker is not None and (path / spec.marker).exists():
            return _section(name=spec.name, root=path, subset=spec.subset_at(path))
    tables = [entry for entry in sorted(path.iterdir()) if entry.suffix.lower() in TABLES and not is_hidden(entry.name)]
    if len(tables) == 1 and _has_our_columns(tables[0]):
        return _section(name="csv", root=path, table=tables[0])
    if _has_selection_tables(path):
        return _section(name="raven", root=path, windows={"seconds": DEFAULT_CLIP_SECONDS})
    return _section(name="folder", root=path)


def has_class_folders(root: Path) -> bool:
    """Whether the sounds below `root` are in folders, at least as many as are in `root` itself."""
    sounds = list(sound_files(root))
    loose = sum(path.parent == root for path in sounds)
    return len(sounds) > loose and len(sounds) >= 2 * loose


def read_bare(root: Path) -> Table:
    """A folder of sounds without classes, as a table in which no clip has a label.

    Raises UserError where there are none, or two with one id.
    """
    clips = [Clip(clip_id(path.relative_to(root)), path, labels=()) for path in sound_files(root)]
    if not clips:
        raise UserError(f"{root.as_posix()}: no sound files in it; expected a data set or a folder of sounds")
    refuse_equal_ids(clips)
    clips.sort(key=lambda clip: clip.id)
    return Table("bare folder", root, (), tuple(clips), notes=("no classes: only the sounds are examined",))


def _section(**values: Any) -> DatasetConfig:
    return DatasetConfig.model_validate(values)


def _has_selection_tables(root: Path) -> bool:
    """Whether Raven's tables, by their usual name, are anywhere below `root`, or by their first line, in `root`."""
    if next(root.rglob("*.selections.txt"), None):
        return True
    return any(is_selection_table(path) for path in sorted(root.glob("*.txt")) if not is_hidden(path.name))


def _has_our_columns(path: Path) -> bool:
    try:
        header, _ = read_rows(path)
    except UserError:
        return False
    return {ColumnsConfig().path, ColumnsConfig().label} <= set(header)
