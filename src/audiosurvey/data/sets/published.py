"""Data sets published as a CSV that gives each file its fold, class number, class name and source."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.data.csv_rows import Faults, Row, need_columns, read_rows, whole_number
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """Where the CSV lies below the root, and what its columns are called."""

    meta: Path
    file: str
    fold: str
    number: str
    name: str
    source: str
    further: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.file, self.fold, self.number, self.name, self.source, *self.further)


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One row with its numbers parsed."""

    file: str
    fold: int
    number: int
    name: str
    source: str
    cells: Row


def read_published(root: Path, layout: CsvLayout) -> list[PublishedRow]:
    """The rows of the CSV below `root`.

    Raises UserError where the CSV is missing or lacks a column, and with all faults of its rows at once.
    """
    path = root / layout.meta
    if not path.is_file():
        # An archive unpacked inside the folder leaves the set one level further down.
        inner = next((found.parent.parent for found in sorted(root.glob(f"*/{layout.meta.as_posix()}"))), None)
        mend = f"set dataset.root to {inner.as_posix()}" if inner else "set dataset.root to the folder that contains it"
        raise UserError(f"{path.as_posix()}: not found; {mend}")
    header, rows = read_rows(path)
    need_columns(path, header, layout.columns)
    faults = Faults(path)
    names: dict[int, str] = {}
    seen: dict[tuple[int | None, str], int] = {}
    read: list[PublishedRow] = []
    for row in rows:
        file, name, source = row[layout.file], row[layout.name], row[layout.source]
        fold, number = whole_number(row[layout.fold]), whole_number(row[layout.number])
        if fold is None or fold < 1:
            faults.add(row.line, layout.fold, f"'{row[layout.fold]}' is not a fold; expected 1, 2, ...")
        if number is None or number < 0:
            faults.add(row.line, layout.number, f"'{row[layout.number]}' is not a class number")
        elif names.setdefault(number, name) != name:
            faults.add(row.line, layout.name, f"'{name}', but {number} is '{names[number]}' further up")
        for column in (layout.file, layout.name, layout.source):
            if not row[column]:
                faults.add(row.line, column, "empty")
        if file and (fold, file) in seen:
            faults.add(row.line, layout.file, f"{file} is already in line {seen[fold, file]}")
        seen[fold, file] = row.line
        if fold is not None and number is not None:
            read.append(PublishedRow(file, fold, number, name, source, row))
    faults.raise_all()
    return read


def published_table(
    name: str,
    root: Path,
    layout: CsvLayout,
    rows: list[PublishedRow],
    place: Callable[[PublishedRow], str],
    *,
    official: bool,
    licence: str,
    subset: str | None = None,
) -> Table:
    """The table of these rows. Labels count from 0, in the order of the class numbers.

    `place`: the path of a row's file below the root, with forward slashes.
    """
    names = dict(sorted((row.number, row.name) for row in rows))
    label = {number: index for index, number in enumerate(names)}
    clips = tuple(
        Clip(
            id=place(row),
            path=root / place(row),
            labels=(label[row.number],),
            fold=row.fold,
            source=row.source,
            global_source=True,
        )
        for row in rows
    )
    note = f"{layout.meta.as_posix()} is not the whole table as published: the folds do not count as official"
    return Table(
        name=name,
        subset=subset,
        root=root,
        classes=tuple(names.values()),
        clips=clips,
        official=official,
        published_folds=official,
        licence=licence,
        notes=() if official else (note,),
    )
