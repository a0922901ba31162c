"""A CSV file (UTF-8; comma, semicolon or tab) as rows of text with line numbers, and its faults collected."""

import csv
import io
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.data.names import composed
from audiosurvey.errors import UserError
from audiosurvey.plainfile import not_plain

SHOWN_FAULTS = 50
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?\r?\n')
"""How Excel may state the delimiter, before the header."""

USUAL_COLUMNS: dict[str, tuple[str, ...]] = {
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "fname", "audio", "wav", "clip"),
    "label": ("label", "labels", "class", "classes", "class_name", "category", "target", "tag", "tags", "species"),
    "fold": ("fold", "kfold", "cv"),
    "source": (
        *("source", "recording", "recording_id", "record", "src_file", "speaker", "speaker_id", "subject"),
        *("subject_id", "session", "session_id", "site", "device", "recorder", "location", "patient", "individual"),
    ),
    "start": ("start", "start_s", "start_time", "begin", "onset"),
    "end": ("end", "end_s", "end_time", "stop", "offset"),
    "split": ("split", "subset", "set", "partition"),
}
"""Usual names of columns with such content, in lower case with `_` between words."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it ends on (the header is line 1), and its stripped cells by column name."""

    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


class Faults:
    """The faults of one file, a line each: `labels.csv:12: fold: 'x' is not a number`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[tuple[int, str]] = []

    def add(self, line: int, place: str, message: str) -> None:
        self._lines.append((line, f"{self._path.as_posix()}:{line}: {place}: {message}"))

    def raise_all(self) -> None:
        """Raises UserError with all faults in the order of lines, if there are any."""
        if not self._lines:
            return
        lines = [text for _, text in sorted(self._lines, key=lambda fault: fault[0])]
        rest = len(lines) - SHOWN_FAULTS
        more = [f"{self._path.as_posix()}: ... and {rest} more faults"] if rest > 0 else []
        raise UserError(*lines[:SHOWN_FAULTS], *more)


def read_rows(path: Path, *, may_be_empty: bool = False) -> tuple[tuple[str, ...], list[Row]]:
    """The column names and the rows of a CSV file; blank lines are skipped, short rows are filled with "".

    Raises UserError for a file that is not UTF-8 text, has no header or, unless it `may_be_empty`, no rows, or has rows
    longer than the header.
    """
    place = path.as_posix()
    if fault := not_plain(path):
        raise UserError(f"{place}: {fault}; copy it to a file")
    try:
        # utf-8-sig: spreadsheets put a byte-order mark before the first column's name.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: not UTF-8 text (byte {error.start}); save it as CSV in UTF-8") from None
    except OSError as error:
        raise UserError(f"{place}: cannot be read ({error.strerror})") from None
    if "\0" in text:
        raise UserError(f"{place}: not a text file; expected a CSV file")
    (_, first), *lines = _parsed(place, text) or [(1, [])]
    header = tuple(composed(cell.strip()) for cell in first)
    rows = [(line, cells) for line, cells in lines if any(cell.strip() for cell in cells)]
    named = [column for column in header if column]
    if not named:
        raise UserError(f"{place}: empty; expected a first line with the names of the columns")
    if twice := sorted({column for column in named if named.count(column) > 1}):
        raise UserError(f"{place}:1: column {twice[0]} occurs twice")
    if not rows and not may_be_empty:
        raise UserError(f"{place}: no rows below the line with the names of the columns")
    faults = Faults(path)
    for line, cells in rows:
        if any(cell.strip() for cell in cells[len(header) :]):
            message = f"{len(cells)} cells where the first line names {len(header)} columns"
            faults.add(line, "row", f"{message}; put a cell that holds the delimiter in double quotes")
    faults.raise_all()
    return tuple(named), [Row(line, _by_name(header, cells)) for line, cells in rows]


def need_columns(path: Path, header: tuple[str, ...], columns: tuple[str, ...]) -> None:
    """Raises UserError naming those of `columns` that the header lacks."""
    if missing := [column for column in columns if column not in header]:
        raise UserError(f"{path.as_posix()}:1: no column {', '.join(missing)}; there are {', '.join(header)}")


def usual_column(key: str, header: Sequence[str], taken: Collection[str] = ()) -> str | None:
    """The column of the header that is named like columns of `key` are (`start`: onset, begin, ...); None if there is
    none. `taken`: columns that are known to hold something else."""
    free = {name.lower().replace(" ", "_"): name for name in reversed(header) if name not in taken}
    return next((free[name] for name in USUAL_COLUMNS[key] if name in free), None)


def whole_number(text: str) -> int | None:
    """`3`, or `3.0` as spreadsheets write it if a cell of the column is empty; None for anything else."""
    value = number(text)
    return int(value) if value is not None and value.is_integer() else None


def number(text: str) -> float | None:
    """A finite decimal number with a decimal point; None for anything else (`nan`, `1_000`, `1,5`)."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _parsed(place: str, text: str) -> list[tuple[int, list[str]]]:
    """The lines of a CSV as cells, each with the number of its last line; without Excel's `sep=;`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    lines: list[tuple[int, list[str]]] = []
    begin = 1
    try:
        for cells in reader:
            lines.append((reader.line_num, cells))
            begin = reader.line_num + 1
    except csv.Error:
        # A quote that is not closed runs to the end of the file: name the line where it begins.
        message = "a double quote is not closed, or text follows it"
        mend = 'put the whole cell in double quotes, and write "" for a quote inside it'
        raise UserError(f"{place}:{begin}: row: {message}; {mend}") from None
    return lines[1:] if _SEPARATOR_LINE.match(text) else lines


def _delimiter(text: str) -> str:
    if stated := _SEPARATOR_LINE.match(text):
        return stated.group(1)
    # By the header: names of columns hold no delimiters, while labels and file names may.
    first = text.split("\n", 1)[0]
    return max(",;\t", key=lambda mark: (first.count(mark), mark == ","))


def _by_name(header: tuple[str, ...], cells: list[str]) -> dict[str, str]:
    filled = cells + [""] * (len(header) - len(cells))
    return {column: cell.strip() for column, cell in zip(header, filled, strict=False) if column}
