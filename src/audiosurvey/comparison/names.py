"""Unique names of models within each data set: equal names are prefixed with folders."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from audiosurvey.comparison.sources import RowSource

_Form = Callable[[RowSource], str]


def distinct_names(groups: Sequence[Sequence[RowSource]]) -> list[list[str]]:
    """A name for each row of each data set.

    Rows of one name keep it if no two of them are on one data set: they are one model on several. Otherwise all of them
    get as many of their folders in front as tell them apart: `first/small`, `second/small`.
    """
    names = list(dict.fromkeys(row.name for group in groups for row in group))
    forms: dict[str, _Form] = {}
    taken = set(names)
    for name in names:
        family = [[row for row in group if row.name == name] for group in groups]
        forms[name] = _form(family, taken)
        taken |= {forms[name](row) for rows in family for row in rows}
    return [[forms[row.name](row) for row in group] for group in groups]


def _form(family: Sequence[Sequence[RowSource]], taken: set[str]) -> _Form:
    """How rows of one name are shown. `family`: these rows, by data set."""
    if all(len(rows) < 2 for rows in family):
        return lambda row: row.name
    for form in _forms([row for rows in family for row in rows]):
        shown = [{form(row) for row in rows} for rows in family]
        if all(len(found) == len(rows) and taken.isdisjoint(found) for found, rows in zip(shown, family, strict=True)):
            return form
    raise ValueError("two rows have one path")


def _forms(rows: Sequence[RowSource]) -> Iterator[_Form]:
    """Folders before the name, from one to all of them; then parts of the path of the first seed."""
    for whole in (_named, _path):
        for count in range(2, max(len(whole(row).parts) for row in rows) + 1):
            yield partial(_ending, whole, count)


def _ending(whole: Callable[[RowSource], Path], count: int, row: RowSource) -> str:
    return Path(*whole(row).parts[-count:]).as_posix()


def _named(row: RowSource) -> Path:
    return row.folder / row.name


def _path(row: RowSource) -> Path:
    return row.path.resolve()
