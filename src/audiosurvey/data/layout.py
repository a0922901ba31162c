"""What lies at a path: the data set whose layout it has.

Enters: the root of a data set, or a CSV. Leaves: the `dataset` section that reads it.
"""

from pathlib import Path
from typing import Any

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.names import clip_id
from audiosurvey.data.sets import esc50, urbansound8k
from audiosurvey.data.sets.csv_columns import ColumnsConfig
from audiosurvey.data.sets.csv_rows import read_rows
from audiosurvey.data.sets.folder import is_hidden, refuse_equal_ids, sound_files
from audiosurvey.data.sets.published import read_published
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError

TABLES = (".csv", ".tsv")


def dataset_at(path: Path) -> DatasetConfig:
    """The section for the data set at `path`: ESC-50 (ESC-10 alone), UrbanSound8K, a CSV, or class folders.

    A folder is one of class folders where nothing else fits. Errors: `UserError` for a CSV of a published set that is
    faulty.
    """
    if path.is_file():
        return _section(name="csv", root=path.parent, table=path)
    if (path / esc50.LAYOUT.meta).is_file():
        rows = read_published(path, esc50.LAYOUT)
        only_esc10 = all(row.cells["esc10"].lower() in ("true", "1") for row in rows)
        return _section(name="esc50", root=path, subset="esc10" if only_esc10 else None)
    if (path / urbansound8k.LAYOUT.meta).is_file():
        return _section(name="urbansound8k", root=path)
    tables = [entry for entry in sorted(path.iterdir()) if entry.suffix.lower() in TABLES and not is_hidden(entry.name)]
    if len(tables) == 1 and _is_ours(tables[0]):
        return _section(name="csv", root=path, table=tables[0])
    return _section(name="folder", root=path)


def has_class_folders(root: Path) -> bool:
    """Whether the sounds below `root` lie in folders, at least as many of them as lie in `root` itself."""
    sounds = list(sound_files(root))
    loose = sum(path.parent == root for path in sounds)
    return len(sounds) > loose and len(sounds) >= 2 * loose


def read_bare(root: Path) -> Table:
    """A folder of sounds without classes, as a table in which no clip has a label.

    Errors: `UserError` where there are none, or two of one id.
    """
    clips = [Clip(clip_id(path.relative_to(root)), path, labels=()) for path in sound_files(root)]
    if not clips:
        raise UserError(f"{root.as_posix()}: no sound files in it; expected a data set or a folder of sounds")
    refuse_equal_ids(clips)
    clips.sort(key=lambda clip: clip.id)
    return Table("bare folder", root, (), tuple(clips), notes=("no classes: sounds only are looked at",))


def _section(**values: Any) -> DatasetConfig:
    return DatasetConfig.model_validate(values)


def _is_ours(path: Path) -> bool:
    try:
        header, _ = read_rows(path)
    except UserError:
        return False
    columns = ColumnsConfig()
    return columns.path in header and columns.label in header
