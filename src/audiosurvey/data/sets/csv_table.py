"""Your own table: a CSV with a row a clip, its columns named as you like.

Enters: the CSV, the folder its paths start from, the names of its columns. Leaves: the table, with the folds or the
train/val/test sides that the CSV gives, or without any. A table is multi-label where the config says so, or where some
cell holds several labels.
"""

import math
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiosurvey.data.names import clip_id, composed, on_disk
from audiosurvey.data.sets.csv_cells import MISSING, SIDES, fold_number, split_labels
from audiosurvey.data.sets.csv_columns import ColumnsConfig, need_own_columns, unread_note
from audiosurvey.data.sets.csv_rows import Faults, Row, number, read_rows
from audiosurvey.data.sets.folder import class_order
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError


@dataclass(frozen=True, slots=True)
class _Read:
    """What one row says, its labels still names."""

    line: int
    file: str
    clip: Clip
    labels: tuple[str, ...]
    missing: str | None
    """The mark of a missing label that stands in the cell of labels."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the rows are read: where from, which columns, what separates labels, which marks are class names."""

    root: Path
    columns: ColumnsConfig
    present: Collection[str]
    separator: str
    named: Collection[str]
    faults: Faults

    def cell(self, row: Row, column: str | None) -> str:
        """The text of a cell; "" for a column that is not read, and for a mark of a missing value."""
        text = row[column] if column is not None and column in self.present else ""
        return "" if text in MISSING else text


def read_csv(
    root: Path,
    path: Path,
    columns: ColumnsConfig,
    label_separator: str = "|",
    *,
    multi_label: bool | None = None,
    named: Collection[str] = (),
) -> Table:
    """The table in the CSV `path`; its paths are relative to `root` (absolute ones are taken as they are).

    `multi_label`: whether a clip may be of several classes or of none; None: it may where some row has two labels.
    `named`: classes that the config names; only these may be called `NA`, `nan` or such. Errors: `UserError` with a
    line for every fault of the file.
    """
    header, rows = read_rows(path)
    need_own_columns(path, header, columns)
    faults = Faults(path)
    reading = _Reading(root, columns, columns.present(header), label_separator, named, faults)
    read = [_read_row(row, reading) for row in rows]
    _refuse_repeated(read, label_separator, faults)
    _refuse_gaps(rows, reading)
    faults.raise_all()

    divided = [column for column in (columns.fold, columns.split) if any(reading.cell(row, column) for row in rows)]
    if len(divided) > 1:
        mend = "set dataset.columns.fold or dataset.columns.split to null"
        raise UserError(f"{path.as_posix()}: columns {' and '.join(map(str, divided))} both divide the clips; {mend}")
    several = any(len(row.labels) > 1 for row in read) if multi_label is None else multi_label
    _check_labels(read, columns.label, several, label_separator, faults)
    faults.raise_all()
    notes = [*_label_notes(read), *_missing_notes(rows, reading), *_overlaps(read)]
    if note := unread_note(header, columns):
        notes.append(note)
    read, told = _count_from_one(read, columns.fold)
    notes += told

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
    return Table("csv", root, classes, clips, multi_label=several, notes=tuple(notes))


def _read_row(row: Row, reading: _Reading) -> _Read:
    columns, faults = reading.columns, reading.faults

    def cell(column: str | None) -> str:
        return reading.cell(row, column)

    def seconds(column: str | None) -> float | None:
        text = cell(column)
        value = number(text) if text else None
        if text and value is None:
            faults.add(row.line, str(column), f"'{text}' is not a number; expected seconds such as 1.5")
        elif value is not None and value < 0:
            faults.add(row.line, str(column), f"{text} s lies before the start of the file")
        return value

    if not cell(columns.path):
        faults.add(row.line, columns.path, f"{_empty(row[columns.path])}; expected a sound file")
    start_s, end_s = seconds(columns.start), seconds(columns.end)
    if end_s is not None and end_s <= (start_s or 0.0):
        faults.add(row.line, str(columns.end), f"the clip ends at {end_s:g} s, where it begins or before")
    fold = fold_number(cell(columns.fold))
    if cell(columns.fold) and fold is None:
        faults.add(row.line, str(columns.fold), f"'{cell(columns.fold)}' is not a number; expected 1, 2, ...")
    elif fold is not None and fold < 0:
        faults.add(row.line, str(columns.fold), f"{fold} is below 0; expected 1, 2, ...")
    side = SIDES.get(cell(columns.split).lower())
    if cell(columns.split) and side is None:
        faults.add(row.line, str(columns.split), f"'{cell(columns.split)}' is none of train, val, test")
    labels, missing = split_labels(row[columns.label], reading.separator, reading.named)

    file = _relative(reading.root, cell(columns.path))
    name = clip_id(Path(file))
    clip = Clip(
        id=name + _stretch(start_s, end_s),
        path=on_disk(reading.root / file),
        labels=(),
        fold=fold,
        source=composed(cell(columns.source)) or None,
        start_s=start_s,
        end_s=end_s,
        side=side,
    )
    return _Read(row.line, name, clip, labels, missing)


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


def _empty(cell: str) -> str:
    return f"'{cell}' stands for a missing value" if cell else "empty"


def _refuse_repeated(read: Sequence[_Read], separator: str, faults: Faults) -> None:
    lines: dict[str, int] = {}
    for row in read:
        if row.clip.id in lines:
            mend = f"join several labels of a clip with '{separator}' in one row"
            faults.add(row.line, "row", f"{row.clip.id} stands in line {lines[row.clip.id]} already; {mend}")
        lines.setdefault(row.clip.id, row.line)


def _refuse_gaps(rows: Sequence[Row], reading: _Reading) -> None:
    """A column that divides the clips is filled in every row or in none."""
    for column in (reading.columns.fold, reading.columns.split):
        if column is None or column not in reading.present:
            continue
        empty = [row for row in rows if not reading.cell(row, column)]
        if len(empty) < len(rows):
            for row in empty:
                reading.faults.add(row.line, column, "empty, while other rows are filled")


def _check_labels(read: Sequence[_Read], column: str, multi_label: bool, separator: str, faults: Faults) -> None:
    for row in read:
        if multi_label:
            continue
        if len(row.labels) > 1:
            mend = f"give one, set dataset.multi_label: true, or another dataset.label_separator than '{separator}'"
            faults.add(row.line, column, f"{len(row.labels)} labels, and dataset.multi_label is false; {mend}")
        elif row.missing is not None:
            mend = f"list '{row.missing}' in dataset.classes or dataset.exclude_classes if it is a class"
            faults.add(row.line, column, f"'{row.missing}' stands for a missing label; name the class, or {mend}")
        elif not row.labels:
            mend = "; if a clip may be of no class, set dataset.multi_label: true"
            faults.add(row.line, column, f"empty; expected the name of a class{mend}")


def _label_notes(read: Sequence[_Read]) -> list[str]:
    unlabelled = [row for row in read if not row.labels]
    if not unlabelled:
        return []
    marks = sorted({row.missing for row in read if row.missing})
    empty = f" ({', '.join(marks)}: read as no label)" if marks else ""
    return [f"{len(unlabelled)} clips have no label{empty}: they belong to none of the classes"]


def _missing_notes(rows: Sequence[Row], reading: _Reading) -> list[str]:
    """What stands for a missing value in the optional columns, and is read as an empty cell."""
    columns = reading.columns
    notes = []
    for column in (columns.fold, columns.source, columns.start, columns.end, columns.split):
        if column is None or column not in reading.present:
            continue
        if marks := Counter(row[column] for row in rows if row[column] in MISSING):
            shown = ", ".join(sorted(marks))
            notes.append(f"column {column}: {marks.total()} cells with {shown} are read as empty")
    return notes


def _overlaps(read: Sequence[_Read]) -> list[str]:
    """A note on stretches of one file that overlap and do not have the same labels."""
    by_file: defaultdict[str, list[_Read]] = defaultdict(list)
    for row in read:
        by_file[row.file].append(row)
    pairs: list[tuple[_Read, _Read]] = []
    for rows in by_file.values():
        longest, *later = sorted(rows, key=_begin_s)
        for row in later:
            if _begin_s(row) < _end_s(longest) and set(row.labels) != set(longest.labels):
                pairs.append((longest, row))
            longest = max(longest, row, key=_end_s)
    if not pairs:
        return []
    first, second = pairs[0]
    pair = f"{first.clip.id} (line {first.line}) and {second.clip.id} (line {second.line})"
    return [f"{len(pairs)} pairs of stretches overlap and have different labels, first {pair}"]


def _begin_s(row: _Read) -> float:
    return row.clip.start_s or 0.0


def _end_s(row: _Read) -> float:
    return math.inf if row.clip.end_s is None else row.clip.end_s


def _count_from_one(read: Sequence[_Read], column: str | None) -> tuple[Sequence[_Read], list[str]]:
    """Folds are counted from 1 everywhere; a table that counts from 0 means the same folds."""
    if min((row.clip.fold for row in read if row.clip.fold is not None), default=1) > 0:
        return read, []
    counted = [replace(row, clip=replace(row.clip, fold=(row.clip.fold or 0) + 1)) for row in read]
    return counted, [f"folds are counted from 1: column {column} counts from 0"]


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
