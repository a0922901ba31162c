"""A published data set that is described by a file: what is known of it besides the layout of its table.

The file is read by `config/set_file.py`, which puts these facts into `dataset.spec`, and the layout into the other keys
of the section `dataset`.
"""

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo, field_validator

from audiosurvey.data.names import composed
from audiosurvey.data.sets.registry import BUILT_IN, OWN
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError, some_of
from audiosurvey.section import Section

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class SetFacts(Section):
    """A published data set: its name, and what makes a run on it official."""

    name: str
    """Short name, such as `speech_commands`: lower case, shown with every result."""
    title: str | None = None
    """Full name."""
    citation: str | None = None
    """How to cite the data set."""
    url: str | None = None
    """Where it is published."""
    official: bool = True
    """Whether the table's folds, or its train, val and test sides, are those of the authors. false: runs are never
    called official."""
    classes: list[str] | None = None
    """All classes. Other labels in the table are an error; a table that lacks one is not the whole data set."""
    clips: int | None = None
    """Number of clips. With more or fewer, the table is not the data set as published."""
    table_sha256: str | None = None
    """SHA-256 of the table as published, in hexadecimal. A table with another one is not the data set as published."""

    @field_validator("name")
    @classmethod
    def _short(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(f"'{value}' is not a short name; expected lower-case letters, digits, _, - and .")
        if value in (*BUILT_IN, *OWN):
            raise ValueError(f"'{value}' is a built-in value of dataset.name; choose another name")
        return value

    @field_validator("classes")
    @classmethod
    def _different(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        names = [composed(name) for name in value or []]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"'{twice[0]}' is listed twice")
        return names or None

    @field_validator("table_sha256")
    @classmethod
    def _digest(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch("[0-9a-fA-F]{64}", value):
            raise ValueError("not a SHA-256; expected 64 hexadecimal digits, as 'sha256sum TABLE' prints them")
        return None if value is None else value.lower()

    def of(self, table: Table, path: Path) -> Table:
        """The table in the CSV `path` under the name of the data set, official if it is as published.

        Raises UserError for labels that are no classes of the data set, and where official folds are missing.
        """
        unknown = sorted(set(table.classes) - set(self.classes or table.classes))
        if unknown:
            mend = "correct them, or add them to the classes of the file that describes the data set"
            raise UserError(
                f"{path.as_posix()}: labels that are no classes of {self.name}: {some_of(unknown, 4)}; {mend}"
            )
        if self.official and not table.folds:
            mend = "name the column in columns.fold or columns.split, or set official: false"
            raise UserError(f"{path.as_posix()}: no column of the table gives the official folds or sides; {mend}")
        why_not = self._difference(table, path) if self.official else None
        official = self.official and why_not is None
        notes = (
            () if why_not is None else (f"not {self.name} as published: {why_not}; the folds do not count as official",)
        )
        return replace(
            table,
            name=self.name,
            official=official,
            published=self.official,
            published_folds=official,
            notes=(*table.notes, *notes),
        )

    def _difference(self, table: Table, path: Path) -> str | None:
        if self.table_sha256 is not None:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != self.table_sha256:
                    return f"{path.name} has another SHA-256"
        if self.clips is not None and len(table.clips) != self.clips:
            return f"{len(table.clips)} clips instead of {self.clips}"
        if missing := sorted(set(self.classes or ()) - set(table.classes)):
            return f"no clips of {some_of(missing, 4)}"
        return None


def _already_read(value: SetFacts | str | None) -> SetFacts | str | None:
    if isinstance(value, str):
        raise ValueError("a file is read with a config only; give the name of the data set and its other facts")
    return value


SetSpec = Annotated[SetFacts | str | None, AfterValidator(_already_read)]
"""`dataset.spec`: a file, which is read before the config is checked, or what it says."""
