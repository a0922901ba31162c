"""What the published sets have in common: a CSV that gives each file its fold, class number, class name and
source.
 Enters: the root folder and the names of the columns. Leaves: classes in the order of their numbers, and
clips.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.data.sets.csv_rows import Faults, Row, need_columns, read_rows, whole_number
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError

PUBLISHED = ("esc50", "urbansound8k")
"""Data sets whose authors gave them folds: a mean over all of them may be compared with the literature."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the CSV of a published set lies and what its columns are called."""

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
    """One row with its numbers read."""

    file: str
    fold: int
    number: int
    name: str
    source: str
    cells: Row


def read_published(root: Path, layout: Layout) -> list[PublishedRow]:
    """The rows of the set below `root`.

    Errors: `UserError` where the CSV is missing or lacks a column, and with all faults of its rows at once.
    """
    path = root / layout.meta
    if not path.is_file():
        # An archive unpacked inside the folder leaves the set one level further down.
        inner = next((found.parent.parent for found in sorted(root.glob(f"*/{layout.meta.as_posix()}"))), None)
        mend = f"set dataset.root to {inner.as_posix()}" if inner else "set dataset.root to the folder that holds it"
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
            faults.add(row.line, layout.file, f"{file} stands in line {seen[fold, file]} already")
        seen[fold, file] = row.line
        if fold is not None and number is not None:
            read.append(PublishedRow(file, fold, number, name, source, row))
    faults.raise_all()
    return read


def classes_and_clips(
    root: Path, rows: list[PublishedRow], place: Callable[[PublishedRow], str]
) -> tuple[tuple[str, ...], tuple[Clip, ...]]:
    """Names of the classes present, in the order of their numbers, and clips labelled from 0; `place` gives
    the path of a row's file below the root, with forward slashes."""
    names = dict(sorted((row.number, row.name) for row in rows))
    label = {number: index for index, number in enumerate(names)}
    clips = tuple(
        Clip(
            place(row),
            root / place(row),
            labels=(label[row.number],),
            fold=row.fold,
            source=row.source,
            global_source=True,
        )
        for row in rows
    )
    return tuple(names.values()), clips


def not_official(meta: Path) -> tuple[str, ...]:
    return (f"{meta.as_posix()} is not the whole table as published: the folds do not count as official",)
