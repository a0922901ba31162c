"""Tables in memory as data sets: data frames, lists of dicts, and data sets of Hugging Face with sounds in a column.

In: such a table. Out: the `dataset` section that reads it, from a CSV in the user's cache. Sounds that are no files are
written beside it. The folder is named by the content, so that the same table is the same data set again.
"""

import csv
import hashlib
import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.atomic import replacing, write_text
from audiosurvey.cache import cache_folder
from audiosurvey.data.csv_rows import usual_column
from audiosurvey.data.sets.csv_columns import ColumnsConfig
from audiosurvey.errors import UserError

_FILE = "clips.csv"
_WANTED = "expected the path of a sound, or a dict with array and sampling_rate"
_SHOWN = 5


def is_table(value: Any) -> bool:
    """Whether a value is a table: it has columns, or is a list of dicts."""
    if isinstance(value, Mapping | str | os.PathLike):
        return False
    if isinstance(value, Sequence):
        return bool(value) and all(isinstance(row, Mapping) for row in value)
    return hasattr(value, "__getitem__") and (hasattr(value, "columns") or hasattr(value, "column_names"))


def table_section(
    table: Any, *, root: str | os.PathLike[str] | None = None, columns: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The `dataset` section for a table.

    `root`: the folder that its paths are relative to (None: the working folder); `columns`: the names of columns, as in
    `dataset.columns`. Columns of paths and labels with other usual names are found.
    Raises UserError for a table without rows or columns, and for a cell that is no sound.
    """
    read = _columns(table)
    names = dict(columns or {})
    own = {key: name for key, name in ColumnsConfig().model_dump().items() if key in ("path", "label")} | names
    for key in ("path", "label"):
        if own[key] not in read and key not in names and (found := usual_column(key, list(read), names.values())):
            own[key] = names[key] = found
    if own["path"] not in read:
        raise UserError(f"table: no column {own['path']} with sounds; there are {', '.join(read) or 'none'}")
    sounds = [_Sound.of(cell, row) for row, cell in enumerate(read[own["path"]])]
    if not sounds:
        raise UserError("table: no rows")
    folder = cache_folder() / "tables"
    base = Path(root).expanduser() if root is not None else Path()
    files = _files(sounds, base)
    cells = {name: [_text(value) for value in column] for name, column in read.items() if name != own["path"]}
    digest = hashlib.blake2b(digest_size=12)
    for part in (repr(sorted(cells.items())), repr(files), *(sound.digest for sound in sounds)):
        digest.update(part.encode("utf-8", "surrogateescape"))
    folder /= digest.hexdigest()
    if not (folder / _FILE).is_file():
        _write(folder, sounds, files, {own["path"]: files, **cells})
    in_memory = all(sound.path is None for sound in sounds)
    kept = root if root is not None else folder / "audio" if in_memory else _common(files)
    section = {"name": "csv", "root": Path(kept).as_posix(), "table": (folder / _FILE).as_posix()}
    return section | ({"columns": names} if names else {})


@dataclass(frozen=True)
class _Sound:
    """A cell with a sound: a file, the bytes of one, or samples."""

    path: str | None = None
    content: bytes | None = None
    wave: np.ndarray | None = None
    rate: int = 0
    name: str | None = None

    @classmethod
    def of(cls, cell: Any, row: int) -> "_Sound":
        if isinstance(cell, str | os.PathLike):
            return cls(path=os.fspath(cell))
        if isinstance(cell, Mapping):
            name = cell.get("path")
            if cell.get("bytes") is not None:
                return cls(content=bytes(cell["bytes"]), name=name)
            if cell.get("array") is not None and cell.get("sampling_rate"):
                return cls(wave=np.asarray(cell["array"], np.float32), rate=int(cell["sampling_rate"]), name=name)
            if name:
                return cls(path=os.fspath(name))
        raise UserError(f"table: row {row + 1}: {type(cell).__name__} is no sound; {_WANTED}")

    @property
    def digest(self) -> str:
        content = (
            self.content if self.wave is None else self.wave.tobytes() + str((self.rate, self.wave.shape)).encode()
        )
        return hashlib.blake2b(content or b"", digest_size=16).hexdigest()

    def write(self, path: Path) -> None:
        import soundfile

        with replacing(path) as beside:
            if self.wave is None:
                beside.write_bytes(self.content or b"")
            else:
                soundfile.write(beside, self.wave, self.rate, format="WAV", subtype="FLOAT")


def _files(sounds: Sequence[_Sound], base: Path) -> list[str]:
    """The path of each sound: that of its file, or one in the folder of the table, named as the table names it."""
    given = [Path(sound.name).name if sound.path is None and sound.name else None for sound in sounds]
    unique = len({name for name in given if name}) == sum(sound.path is None for sound in sounds)
    width = len(str(len(sounds)))

    def file(row: int, sound: _Sound) -> str:
        if sound.path is not None:
            return (base / sound.path).absolute().as_posix()
        name = given[row] if unique else None
        suffix = ".wav" if sound.wave is not None else Path(sound.name or "").suffix or ".wav"
        return f"audio/{Path(name).stem if name else format(row, f'0{width}')}{suffix}"

    return [file(row, sound) for row, sound in enumerate(sounds)]


def _write(folder: Path, sounds: Sequence[_Sound], files: Sequence[str], columns: Mapping[str, Sequence[str]]) -> None:
    """Writes the sounds, then the table: a folder with a table is complete."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    for sound, file in zip(sounds, files, strict=True):
        if sound.path is None:
            sound.write(folder / file)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    # Sounds of the table lie in its folder, whatever the root is.
    own = [
        (folder / file).absolute().as_posix() if sound.path is None else file
        for sound, file in zip(sounds, files, strict=True)
    ]
    rest = list(columns.values())[1:]
    writer.writerows(zip(own, *rest, strict=True))
    write_text(folder / _FILE, text.getvalue())


def _common(files: Sequence[str]) -> str:
    """The deepest folder that all files lie in."""
    return os.path.commonpath([Path(file).parent.as_posix() for file in files])


def _columns(table: Any) -> dict[str, list[Any]]:
    """The columns of a table by name, in its order."""
    if isinstance(table, Sequence):
        names = dict.fromkeys(str(name) for row in table for name in row)
        return {name: [row.get(name) for row in table] for name in names}
    features = getattr(table, "features", None)
    if features is not None:
        return dict(_of_hugging_face(table, features))
    names = table.column_names if hasattr(table, "column_names") else table.columns
    return {str(name): _listed(table[name]) for name in names}


def _of_hugging_face(table: Any, features: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for name, feature in features.items():
        kind = type(feature).__name__
        if kind == "Audio":
            # The files as they are: nothing is decoded, and no decoder is needed.
            table = table.cast_column(name, type(feature)(decode=False))
        values = list(table[name])
        if kind == "ClassLabel":
            values = [None if value is None else feature.int2str(value) for value in values]
        yield name, values


def _listed(column: Any) -> list[Any]:
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def _text(value: Any) -> str:
    """A cell as text; labels in a list are joined."""
    if isinstance(value, list | tuple | set | np.ndarray):
        return "|".join(_text(item) for item in value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)
