"""The columns of your own CSV: `dataset.columns`, faults for missing columns, and a note on those not read."""

from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import ValidationInfo, field_validator

from audiosurvey.data.csv_rows import usual_column
from audiosurvey.data.names import composed
from audiosurvey.errors import UserError
from audiosurvey.section import Section


class ColumnsConfig(Section):
    """Column names of the CSV. Optional columns are used if they exist."""

    path: str = "path"
    """Audio file, relative to `dataset.root`."""
    label: str = "label"
    """Class, or several classes separated by `dataset.label_separator`."""
    fold: str | None = "fold"
    """Test fold of the clip, a whole number (`fold1` is accepted). null: folds are created."""
    source: str | None = "source"
    """Recording that the clip is from; clips of the same recording are never split. A value other than the file's own
    name identifies the same recording across data sets."""
    start: str | None = "start"
    """Start of the clip within its file, in seconds; empty for the start of the file."""
    end: str | None = "end"
    """End of the clip within its file, in seconds; empty for the end of the file."""
    split: str | None = "split"
    """`train`, `val` or `test`, instead of folds. null: ignored."""

    @field_validator("*")
    @classmethod
    def _named_once(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("a column needs a name; null for none")
        value = None if value is None else composed(value.strip())
        if value is not None and value in info.data.values():
            raise ValueError(f"column '{value}' is used twice")
        return value

    def present(self, header: Collection[str]) -> set[str]:
        """The columns of the header that are read."""
        return {name for _, name in self if name in header}


def need_own_columns(path: Path, header: Sequence[str], columns: ColumnsConfig, *, labelled: bool = True) -> None:
    """Raises UserError, with a guess, where the CSV lacks path or label, or a column that the config renamed.

    Without `labelled`, only the path is needed.
    """
    usual = ColumnsConfig()
    renamed = [name for key, name in columns if name is not None and name != getattr(usual, key)]
    needed = dict.fromkeys([columns.path, columns.label, *renamed] if labelled else [columns.path])
    missing = [name for name in needed if name not in header]
    if not missing:
        return
    guesses = {}
    for key, name in columns:
        if name in missing and (
            found := usual_column(key, header, taken={*columns.present(header), *guesses.values()})
        ):
            guesses[key] = found
    mend = "name them in dataset.columns"
    if guesses:
        mend += ", perhaps {" + ", ".join(f"{key}: {name}" for key, name in guesses.items()) + "}"
    there = ", ".join(header)
    raise UserError(f"{path.as_posix()}:1: no column {', '.join(missing)}; there are {there}; {mend}")


def unread_note(header: Sequence[str], columns: ColumnsConfig) -> list[str]:
    """A note on the columns that are not read; none where all are."""
    read = columns.present(header)
    unread = [name for name in header if name not in read]
    note = f"columns that are not read: {', '.join(unread)}"
    if columns.source is not None and columns.source not in read and (source := usual_column("source", unread, ())):
        mend = f"set dataset.columns.source: {source} to keep them on one side of every split"
        note += f"; if clips of one {source} belong together, {mend}"
    return [note] if unread else []
