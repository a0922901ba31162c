"""Sounds of no class as clips: those of a folder or a table, and the made ones."""

from dataclasses import replace
from pathlib import Path

from audiosurvey.data.names import clip_id
from audiosurvey.data.other.made_sounds import made_sounds
from audiosurvey.data.other.settings import OtherConfig
from audiosurvey.data.sets.csv_columns import ColumnsConfig
from audiosurvey.data.sets.csv_table import read_csv
from audiosurvey.data.sets.folder import refuse_equal_ids, sound_files
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError

KEY = "dataset.other"
PREFIX = "other:"
"""The ids of these clips begin with it, so that none is that of a clip of a class."""
MADE = f"{PREFIX}made/"
_TABLES = (".csv", ".tsv")


def is_other(clip_id: str) -> bool:
    """Whether this is the id of a sound of no class."""
    return clip_id.startswith(PREFIX)


def is_made(clip_id: str) -> bool:
    """Whether this is the id of a made sound."""
    return clip_id.startswith(MADE)


def other_clips(config: OtherConfig, columns: ColumnsConfig, key: str = KEY) -> tuple[Clip, ...]:
    """The clips, with folds, sides and sources where a table gives them; `columns`: of the table.

    `key`: names the place in errors. Raises UserError if there is nothing at the path, and for a faulty table.
    """
    clips = [] if config.path is None else read_other(config.path, columns, key)
    if config.made:
        clips += [Clip(f"{MADE}{sound.name}", path, (), other=True) for sound, path in made_sounds()]
    return tuple(clips)


def read_other(path: Path, columns: ColumnsConfig, key: str = KEY) -> list[Clip]:
    """The clips of a folder or a CSV table; errors as in `other_clips`."""
    path = path.expanduser()
    place = path.as_posix()
    if path.suffix.lower() in _TABLES and path.is_file():
        clips = read_csv(path.parent, path, columns, labelled=False).clips
        missing = [clip for clip in clips if not clip.path.is_file()]
        if len(missing) == len(clips):
            raise UserError(f"{key}: {place}: none of its files exist, such as {missing[0].path.as_posix()}")
    elif path.is_dir():
        clips = [Clip(clip_id(file.relative_to(path)), file, ()) for file in sound_files(path)]
        refuse_equal_ids(clips)
        if not clips:
            raise UserError(f"{key}: {place}: no sound files in this folder")
    else:
        what = "is neither a folder of sounds nor a CSV table" if path.exists() else "no such folder or table"
        raise UserError(f"{key}: {place}: {what}")
    return [replace(clip, id=f"{PREFIX}{clip.id}", labels=(), other=True) for clip in clips]
