"""Your own table: a CSV with a row per clip, with folds, train/val/test sides, or neither."""

import ast
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiosurvey.data.annotations.windowing import WindowsConfig
from audiosurvey.data.csv_rows import Faults, Row, number, read_rows, whole_number
from audiosurvey.data.names import clip_id, composed, on_disk, stretch_mark
from audiosurvey.data.sets.csv_columns import ColumnsConfig, need_own_columns, unread_note
from audiosurvey.data.sets.csv_recordings import Stretch, recordings_of
from audiosurvey.data.sets.folder import class_order
from audiosurvey.data.sets.windowed import windowed_table
from audiosurvey.data.table import Clip, Side, Table
from audiosurvey.errors import UserError

MISSING = frozenset({"nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "<NA>", "None", "NULL", "Null", "null"})
"""What data-frame libraries, spreadsheets and databases write for a missing value."""
_SIDES: dict[str, Side] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_LIST = re.compile(rf"\[\s*(?:(?:{_QUOTED.pattern})\s*(?:,\s*|(?=[\]'\"])))*\]")
_SEPARATORS = (";", ",", "|", "+", "/")
_FOLD = re.compile(r"fold[\s_-]*(?=\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _LabelledRow:
    """One row; its labels are still names, and `clip` has none yet."""

    line: int
    file: str
    clip: Clip
    labels: tuple[str, ...]
    missing: str | None
    """The missing-value mark in the cell of labels, if any."""

    @property
    def begin_s(self) -> float:
        return self.clip.start_s or 0.0

    @property
    def end_s(self) -> float:
        return math.inf if self.clip.end_s is None else self.clip.end_s


def read_csv(
    root: Path,
    path: Path,
    columns: ColumnsConfig,
    label_separator: str = "|",
    *,
    multi_label: bool | None = None,
    named: Collection[str] = (),
    windows: WindowsConfig | None = None,
    labelled: bool = True,
) -> Table:
    """The table in the CSV `path`; its paths are relative to `root` (absolute ones are used as they are).

    `multi_label`: whether a clip may have several classes or none; None: if some row has two labels. `named`: classes
    that the config names; only these may be called `NA`, `nan` or similar. `windows`: the rows are events, and the
    clips are windows of their recordings, with several labels. Without `labelled`, the clips have no labels and
    a column of them is not read. Raises UserError with a line for every fault of the file.
    """
    header, rows = read_rows(path)
    need_own_columns(path, header, columns, labelled=labelled)
    present = columns.present(header) - (set() if labelled else {columns.label})
    reader = _CsvReader(root, columns, present, label_separator, named, Faults(path))
    read = [reader.read(row) for row in rows]
    if windows is None:
        reader.refuse_repeated(read)
    reader.refuse_gaps(rows)
    reader.faults.raise_all()
    divided = [column for column in (columns.fold, columns.split) if any(reader.cell(row, column) for row in rows)]
    if len(divided) > 1:
        mend = "set dataset.columns.fold or dataset.columns.split to null"
        raise UserError(f"{path.as_posix()}: columns {' and '.join(map(str, divided))} both divide the clips; {mend}")
    several = any(len(row.labels) > 1 for row in read) if multi_label is None else multi_label
    if labelled and not several and windows is None:
        reader.refuse_other_than_one_label(read)
    reader.faults.raise_all()

    notes = [*reader.missing_notes(rows), *unread_note(header, columns)]
    if windows is None and labelled:
        notes = [*_label_notes(read), *_joined_labels(read, label_separator), *_overlaps(read), *notes]
    if min((row.clip.fold for row in read if row.clip.fold is not None), default=1) == 0:
        read = [replace(row, clip=replace(row.clip, fold=(row.clip.fold or 0) + 1)) for row in read]
        notes.append(f"folds are counted from 1: column {columns.fold} counts from 0")
    if windows is not None:
        stretches = [Stretch(row.line, row.file, row.clip, row.labels) for row in read]
        recordings = recordings_of(stretches, columns, reader.faults)
        reader.faults.raise_all()
        if not any(row.labels for row in read):
            raise UserError(f"{path.as_posix()}: column {columns.label}: no row has a label; expected some")
        return windowed_table("csv", root, recordings, windows, notes)
    classes = class_order({name for row in read for name in row.labels})
    index = {name: label for label, name in enumerate(classes)}
    clips = tuple(
        replace(
            row.clip,
            labels=tuple(sorted(index[name] for name in row.labels)),
            source=source,
            # A source that repeats the file's name may stand for another sound in another data set.
            global_source=source not in (None, row.file, Path(row.file).name, Path(row.file).stem),
        )
        for row, source in zip(read, _sources(read), strict=True)
    )
    return Table("csv", root, classes, clips, multi_label=several, notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _CsvReader:
    root: Path
    columns: ColumnsConfig
    present: Collection[str]
    separator: str
    named: Collection[str]
    faults: Faults

    def cell(self, row: Row, column: str | None) -> str:
        """The text of a cell; "" for a column that is not read, and for a missing-value mark."""
        text = row[column] if column is not None and column in self.present else ""
        return "" if text in MISSING else text

    def read(self, row: Row) -> _LabelledRow:
        columns = self.columns
        if not self.cell(row, columns.path):
            mark = row[columns.path]
            empty = f"'{mark}' stands for a missing value" if mark else "empty"
            self.faults.add(row.line, columns.path, f"{empty}; expected a sound file")
        start_s, end_s = self._seconds(row, columns.start), self._seconds(row, columns.end)
        if end_s is not None and end_s <= (start_s or 0.0):
            self.faults.add(row.line, str(columns.end), f"the clip ends at {end_s:g} s, where it begins or before")
        side = _SIDES.get(self.cell(row, columns.split).lower())
        if side is None and (text := self.cell(row, columns.split)):
            self.faults.add(row.line, str(columns.split), f"'{text}' is not one of train, val, test")
        cell = row[columns.label] if columns.label in self.present else ""
        parts = dict.fromkeys(composed(part) for part in _labels(cell, self.separator))
        marks = [part for part in parts if part in MISSING and part not in self.named]
        file = _relative(self.root, self.cell(row, columns.path))
        name = clip_id(Path(file))
        clip = Clip(
            id=name + stretch_mark(start_s, end_s),
            path=on_disk(self.root / file),
            labels=(),
            fold=self._fold(row),
            source=composed(self.cell(row, columns.source)) or None,
            start_s=start_s,
            end_s=end_s,
            side=side,
        )
        labels = tuple(part for part in parts if part and part not in marks)
        return _LabelledRow(row.line, name, clip, labels, marks[0] if marks else None)

    def _seconds(self, row: Row, column: str | None) -> float | None:
        text = self.cell(row, column)
        value = number(text) if text else None
        if text and value is None:
            self.faults.add(row.line, str(column), f"'{text}' is not a number; expected seconds such as 1.5")
        elif value is not None and value < 0:
            self.faults.add(row.line, str(column), f"{text} s lies before the start of the file")
        return value

    def _fold(self, row: Row) -> int | None:
        """The number in `3`, `3.0` or `fold3`."""
        column, text = self.columns.fold, self.cell(row, self.columns.fold)
        fold = whole_number(_FOLD.sub("", text, count=1) if _FOLD.match(text) else text)
        if text and fold is None:
            self.faults.add(row.line, str(column), f"'{text}' is not a number; expected 1, 2, ...")
        elif fold is not None and fold < 0:
            self.faults.add(row.line, str(column), f"{fold} is below 0; expected 1, 2, ...")
        return fold

    def refuse_repeated(self, read: Sequence[_LabelledRow]) -> None:
        lines: dict[str, int] = {}
        for row in read:
            if row.clip.id in lines:
                mend = f"join several labels of a clip with '{self.separator}' in one row"
                self.faults.add(row.line, "row", f"{row.clip.id} is already in line {lines[row.clip.id]}; {mend}")
            lines.setdefault(row.clip.id, row.line)

    def refuse_gaps(self, rows: Sequence[Row]) -> None:
        """A column that divides the clips is filled in every row or in none."""
        for column in (self.columns.fold, self.columns.split):
            if column is not None and column in self.present:
                empty = [row for row in rows if not self.cell(row, column)]
                for row in empty if len(empty) < len(rows) else []:
                    self.faults.add(row.line, column, "empty, while other rows are filled")

    def refuse_other_than_one_label(self, read: Sequence[_LabelledRow]) -> None:
        for row in read:
            if len(row.labels) > 1:
                other = f"another dataset.label_separator than '{self.separator}'"
                mend = f"give one, set dataset.multi_label: true, or {other}"
                fault = f"{len(row.labels)} labels, and dataset.multi_label is false; {mend}"
            elif row.missing is not None:
                mend = f"list '{row.missing}' in dataset.classes or dataset.exclude_classes if it is a class"
                fault = f"'{row.missing}' stands for a missing label; name the class, or {mend}"
            elif not row.labels:
                mend = "if clips may have no label, set dataset.multi_label: true"
                fault = f"empty; expected the name of a class; {mend}"
            else:
                continue
            self.faults.add(row.line, self.columns.label, fault)

    def missing_notes(self, rows: Sequence[Row]) -> Iterator[str]:
        """Missing-value marks in the optional columns, which are read as empty cells."""
        columns = self.columns
        for column in (columns.fold, columns.source, columns.start, columns.end, columns.split):
            if column is not None and column in self.present:
                marks = Counter(row[column] for row in rows if row[column] in MISSING)
                if marks:
                    yield f"column {column}: {marks.total()} cells with {', '.join(sorted(marks))} are read as empty"


def _labels(text: str, separator: str) -> list[str]:
    """The labels in a cell: divided by the separator, or a list as Python, NumPy and JSON write it (`['a', 'b']`)."""
    text = text.strip()
    if not _LIST.fullmatch(text):
        return [part.strip() for part in text.split(separator)]
    return [str(ast.literal_eval(item)).strip() for item in _QUOTED.findall(text)]


def label_cell(labels: Sequence[str]) -> str:
    """The cell that is read as these labels, with the usual separator."""
    text = "|".join(labels)
    return text if _labels(text, "|") == list(labels) else f"[{', '.join(map(repr, labels))}]"


def _relative(root: Path, text: str) -> str:
    """The path in a cell, relative to the root: `./a\\b.wav` is a/b.wav wherever the table was written."""
    path = Path(text.replace("\\", "/"))
    if not path.is_absolute():
        return Path(os.path.normpath(path)).as_posix()
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()


def _label_notes(read: Sequence[_LabelledRow]) -> list[str]:
    unlabelled = [row for row in read if not row.labels]
    if not unlabelled:
        return []
    marks = sorted({row.missing for row in read if row.missing})
    empty = f" ({', '.join(marks)}: read as no label)" if marks else ""
    return [f"{len(unlabelled)} clips have no label{empty}: they belong to none of the classes"]


def _joined_labels(read: Sequence[_LabelledRow], separator: str) -> list[str]:
    """A note on labels that look like several with another separator: `dog;rain` beside `dog` and `rain`."""
    names = {name for row in read for name in row.labels}
    for other in (mark for mark in _SEPARATORS if mark != separator):
        parts = {name: [part.strip() for part in name.split(other)] for name in names}
        used = Counter(part for each in parts.values() for part in each)
        joined = sorted(name for name, each in parts.items() if len(each) > 1 and all(used[one] > 1 for one in each))
        if joined:
            mend = f"if these are several labels, set dataset.label_separator: '{other}'"
            return [
                f"{len(joined)} labels are made of others with '{other}' between them, such as '{joined[0]}'; {mend}"
            ]
    return []


def _overlaps(read: Sequence[_LabelledRow]) -> list[str]:
    """A note on segments of one file that overlap and have different labels."""
    by_file: defaultdict[str, list[_LabelledRow]] = defaultdict(list)
    for row in read:
        by_file[row.file].append(row)
    pairs: list[str] = []
    for rows in by_file.values():
        longest, *later = sorted(rows, key=lambda row: row.begin_s)
        for row in later:
            if row.begin_s < longest.end_s and set(row.labels) != set(longest.labels):
                pairs.append(f"{longest.clip.id} (line {longest.line}) and {row.clip.id} (line {row.line})")
            longest = max(longest, row, key=lambda row: row.end_s)
    if not pairs:
        return []
    mend = "set dataset.windows, such as {seconds: 5}, for windows with the labels of all segments in them"
    return [f"{len(pairs)} pairs of segments overlap and have different labels, first {pairs[0]}; {mend}"]


def _sources(read: Sequence[_LabelledRow]) -> Iterator[str | None]:
    """The source of each row: as given, else the one given for its file elsewhere, else the file if it is cut up."""
    count = Counter(row.file for row in read)
    named = {row.file: row.clip.source for row in reversed(read) if row.clip.source is not None}
    for row in read:
        cut = count[row.file] > 1 or row.clip.start_s is not None or row.clip.end_s is not None
        yield row.clip.source or named.get(row.file) or (row.file if cut else None)
