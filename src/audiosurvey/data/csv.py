"""One's own table: a CSV with a row a clip, its columns named as one likes.

Enters: the CSV, the folder its paths start from, the names of its columns. Leaves: the table, with the
folds or the train/val/test sides that the CSV gives, or without any. Several labels in a cell make the
table multi-label.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationInfo, field_validator

from audiosurvey.data.folder import class_order, clip_id
from audiosurvey.data.rows import Faults, Row, need_columns, number, read_rows, whole_number
from audiosurvey.data.table import Clip, Side, Table
from audiosurvey.errors import UserError
from audiosurvey.section import Section

SIDES: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


class ColumnsConfig(Section):
    """Names of the columns of one's own CSV; an optional column of the default name is used where it is
    there."""

    path: str = "path"
    """The sound file, relative to `dataset.root`."""
    label: str = "label"
    """The class, or several joined by `dataset.label_separator`."""
    fold: str | None = "fold"
    """The fold in which the clip is tested, a whole number; null: not read, folds are made."""
    source: str | None = "source"
    """The recording that the clip was cut from; clips of one recording stay on one side of every split. A name other
    than the file's own means the same recording in every data set."""
    start: str | None = "start"
    """Where the clip begins in its file, in seconds; empty: at the start of the file."""
    end: str | None = "end"
    """Where the clip ends in its file, in seconds; empty: at the end of the file."""
    split: str | None = "split"
    """train, val or test, instead of folds; null: not read."""

    @field_validator("*")
    @classmethod
    def _named_once(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("a column needs a name; null for a column that is not there")
        if value is not None and value in info.data.values():
            raise ValueError(f"column '{value}' is named for two things")
        return value


@dataclass(frozen=True, slots=True)
class _Read:
    """What one row says, its labels still names."""

    line: int
    file: str
    clip: Clip
    labels: tuple[str, ...]


def read_csv(root: Path, path: Path, columns: ColumnsConfig, label_separator: str = "|") -> Table:
    """The table in the CSV `path`; its paths are relative to `root` (absolute ones are taken as they are).

    Errors: `UserError` with a line for every fault of the file.
    """
    header, rows = read_rows(path)
    wanted = ColumnsConfig()
    asked = [getattr(columns, name) for name in ColumnsConfig.model_fields]
    chosen = [value for name, value in columns if value is not None and value != getattr(wanted, name)]
    needed = dict.fromkeys([columns.path, columns.label, *chosen])
    try:
        need_columns(path, header, tuple(needed))
    except UserError as error:
        raise UserError(f"{error.lines[0]}; name them in dataset.columns") from None
    present = {name for name in asked if name in header}
    faults = Faults(path)
    read = [_read_row(root, row, columns, present, label_separator, faults) for row in rows]
    _refuse_repeated(read, label_separator, faults)
    _refuse_gaps(rows, columns, present, faults)
    faults.raise_all()

    place = path.as_posix()
    folds = any(row.clip.fold is not None for row in read)
    if folds and any(row.clip.side is not None for row in read):
        mend = "set dataset.columns.fold or dataset.columns.split to null"
        raise UserError(f"{place}: columns {columns.fold} and {columns.split} both divide the clips; {mend}")
    notes = []
    if folds and min(row.clip.fold or 0 for row in read) == 0:
        # Folds are counted from 1 everywhere; a table that counts from 0 means the same folds.
        read = [replace(row, clip=replace(row.clip, fold=(row.clip.fold or 0) + 1)) for row in read]
        notes.append(f"folds are counted from 1: column {columns.fold} counts from 0")

    multi_label = any(len(row.labels) > 1 for row in read)
    unlabelled = [row for row in read if not row.labels]
    if unlabelled and not multi_label:
        for row in unlabelled:
            faults.add(row.line, columns.label, "empty; expected the name of a class")
        faults.raise_all()
    if unlabelled:
        notes.append(f"{len(unlabelled)} clips have no label: they belong to none of the classes")
    classes = class_order({name for row in read for name in row.labels})
    index = {name: label for label, name in enumerate(classes)}
    sources = _sources(read)
    clips = tuple(
        replace(
            row.clip,
            labels=tuple(sorted(index[name] for name in row.labels)),
            source=source,
            global_source=source is not None and not _repeats_file_name(source, row.file),
        )
        for row, source in zip(read, sources, strict=True)
    )
    return Table("csv", root, classes, clips, multi_label=multi_label, notes=tuple(notes))


def _read_row(root: Path, row: Row, columns: ColumnsConfig, present: set[str], separator: str, faults: Faults) -> _Read:
    def cell(column: str | None) -> str:
        return row[column] if column in present and column is not None else ""

    def seconds(column: str | None) -> float | None:
        text = cell(column)
        value = number(text) if text else None
        if text and value is None:
            faults.add(row.line, str(column), f"'{text}' is not a number; expected seconds such as 1.5")
        elif value is not None and value < 0:
            faults.add(row.line, str(column), f"{text} s lies before the start of the file")
        return value

    if not cell(columns.path):
        faults.add(row.line, columns.path, "empty; expected a sound file")
    start_s, end_s = seconds(columns.start), seconds(columns.end)
    if end_s is not None and end_s <= (start_s or 0.0):
        faults.add(row.line, str(columns.end), f"the clip ends at {end_s:g} s, where it begins or before")
    fold = whole_number(cell(columns.fold))
    if cell(columns.fold) and fold is None:
        faults.add(row.line, str(columns.fold), f"'{cell(columns.fold)}' is not a number; expected 1, 2, ...")
    elif fold is not None and fold < 0:
        faults.add(row.line, str(columns.fold), f"{fold} is below 0; expected 1, 2, ...")
    side = SIDES.get(cell(columns.split).lower())
    if cell(columns.split) and side is None:
        faults.add(row.line, str(columns.split), f"'{cell(columns.split)}' is none of train, val, test")
    labels = tuple(dict.fromkeys(part.strip() for part in cell(columns.label).split(separator) if part.strip()))

    file = _relative(root, cell(columns.path))
    name = clip_id(Path(file))
    clip = Clip(
        id=name + _stretch(start_s, end_s),
        path=root / file,
        labels=(),
        fold=fold,
        source=cell(columns.source) or None,
        start_s=start_s,
        end_s=end_s,
        side=side,
    )
    return _Read(row.line, name, clip, labels)


def _relative(root: Path, text: str) -> str:
    """A path as written in a cell, relative to the root: `./a\\b.wav` is a/b.wav wherever the table was
    written."""
    path = Path(text.replace("\\", "/"))
    if not path.is_absolute():
        return Path(os.path.normpath(path)).as_posix()
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()


def _stretch(start_s: float | None, end_s: float | None) -> str:
    """`#1.500-3.000`; "end" where the stretch has none. Milliseconds unless the table is finer."""

    def text(value: float) -> str:
        short = f"{value:.3f}"
        return short if float(short) == value else repr(value)

    if start_s is None and end_s is None:
        return ""
    return f"#{text(start_s or 0.0)}-{'end' if end_s is None else text(end_s)}"


def _refuse_repeated(read: Sequence[_Read], separator: str, faults: Faults) -> None:
    lines: dict[str, int] = {}
    for row in read:
        if row.clip.id in lines:
            mend = f"join several labels of a clip with '{separator}' in one row"
            faults.add(row.line, "row", f"{row.clip.id} stands in line {lines[row.clip.id]} already; {mend}")
        lines.setdefault(row.clip.id, row.line)


def _refuse_gaps(rows: Sequence[Row], columns: ColumnsConfig, present: set[str], faults: Faults) -> None:
    """A column that divides the clips is filled in every row or in none."""
    for column in (columns.fold, columns.split):
        if column is None or column not in present:
            continue
        empty = [row for row in rows if not row[column]]
        if len(empty) < len(rows):
            for row in empty:
                faults.add(row.line, column, "empty, while other rows are filled")


def _sources(read: Sequence[_Read]) -> list[str | None]:
    """The source of each row: as given, else the one given for its file elsewhere, else the file if it is
    cut up."""
    count = Counter(row.file for row in read)
    named = {row.file: row.clip.source for row in reversed(read) if row.clip.source is not None}

    def source(row: _Read) -> str | None:
        cut = count[row.file] > 1 or row.clip.start_s is not None or row.clip.end_s is not None
        return row.clip.source or named.get(row.file) or (row.file if cut else None)

    return [source(row) for row in read]


def _repeats_file_name(source: str, file: str) -> bool:
    """Whether the source says no more than the name of the file, which another data set may use for another sound."""
    return source in (file, Path(file).name, Path(file).stem)
