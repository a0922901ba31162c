"""Rows of tables with times: CSV files with a header, selection tables of Raven, and label tracks of Audacity."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.data.csv_rows import Faults, Row, number, read_rows, usual_column
from audiosurvey.errors import UserError
from audiosurvey.plainfile import not_plain

_RAVEN_START, _RAVEN_END = "Begin Time (s)", "End Time (s)"
_RAVEN_FILES = ("Begin Path", "Begin File")
_RAVEN_OFFSET = "File Offset (s)"
"""Where a selection begins in its own file. The other times count from the start of the first of several files."""
_RAVEN_LABELS = ("species", "annotation", "label", "class", "tag", "species code", "common name")
"""Columns that people add to Raven's own ones, in lower case."""
_LONGEST_HEADER = 10_000

TableRow = tuple[str | None, Annotation | None]
"""The name of a recording, if the table has one, and an event; None: the recording is listed without one."""


def read_table(path: Path) -> list[TableRow]:
    """The rows of a table of events.

    Raises UserError with a line for each fault: columns that are missing, times that are no numbers, events that end
    before they start.
    """
    if (rows := _audacity_rows(path)) is not None:
        return rows
    header, rows = read_rows(path, may_be_empty=True)
    if _RAVEN_START in header:
        return _raven_rows(path, header, rows)
    return _csv_rows(path, header, rows)


def is_selection_table(path: Path) -> bool:
    """Whether the first line of a file is that of a selection table of Raven."""
    if not_plain(path):
        return False
    with path.open("rb") as file:
        return _RAVEN_START in file.readline(_LONGEST_HEADER).decode("utf-8-sig", "replace").strip().split("\t")


def _csv_rows(path: Path, header: Sequence[str], rows: Sequence[Row]) -> list[TableRow]:
    start, end, label = (usual_column(key, header) for key in ("start", "end", "label"))
    if start is None or end is None or label is None:
        wanted = ", ".join(key for key, found in (("start", start), ("end", end), ("label", label)) if found is None)
        there = ", ".join(header)
        raise UserError(f"{path.as_posix()}:1: no column {wanted} of events; there are {there}")
    file = usual_column("path", header, (start, end, label))
    faults = Faults(path)
    found = [(row[file] if file else None, _event(row, start, end, label, faults)) for row in rows]
    faults.raise_all()
    return found


def _raven_rows(path: Path, header: Sequence[str], rows: Sequence[Row]) -> list[TableRow]:
    """Raven lists a selection once for each view, such as waveform and spectrogram; one of them is taken."""
    label = next((name for name in header if name.lower() in _RAVEN_LABELS), None)
    if label is None:
        raise UserError(
            f"{path.as_posix()}:1: no column with labels; name one of them Species or Annotation; there are "
            f"{', '.join(header)}"
        )
    file = next((name for name in _RAVEN_FILES if name in header), None)
    views = {row["View"] for row in rows} if "View" in header else set()
    view = next((name for name in sorted(views) if name.startswith("Spectrogram")), None)
    faults = Faults(path)
    found: list[TableRow] = []
    for row in rows:
        if view is None or row["View"] == view:
            event = _event(row, _RAVEN_START, _RAVEN_END, label, faults)
            if event and file and _RAVEN_OFFSET in header and (start_s := number(row[_RAVEN_OFFSET])) is not None:
                event = Annotation(event.label, start_s, start_s + event.seconds)
            found.append((row[file] or None if file else None, event))
    faults.raise_all()
    return found


def _event(row: Row, start: str, end: str, label: str, faults: Faults) -> Annotation | None:
    if not (row[start] or row[end] or row[label]):
        return None
    times = {column: number(row[column]) for column in (start, end)}
    for column, value in times.items():
        if value is None or value < 0:
            faults.add(row.line, column, f"'{row[column]}' is not a number of seconds")
    if not row[label]:
        faults.add(row.line, label, "empty")
    begins, ends = times[start], times[end]
    if begins is None or ends is None:
        return None
    if ends <= begins:
        faults.add(row.line, end, f"the event ends at {ends:g} s and starts at {begins:g} s")
    return Annotation(row[label], begins, ends)


def _audacity_rows(path: Path) -> list[TableRow] | None:
    """The rows of a label track: start, end and label, without a header. None if the file is none."""
    if path.suffix.lower() != ".txt" or not_plain(path):
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    # A line that begins with a backslash holds the frequencies of the label above it.
    cells = [(place, line.split("\t")) for place, line in enumerate(lines, 1) if line.strip() and line[0] != "\\"]
    if not all(len(parts) >= 2 and number(parts[0]) is not None for _, parts in cells[:1]):
        return None
    return list(_label_track(path, cells))


def _label_track(path: Path, lines: Sequence[tuple[int, list[str]]]) -> Iterator[TableRow]:
    faults = Faults(path)
    for line, parts in lines:
        start, end, label = (*(part.strip() for part in parts), "", "")[:3]
        event = _event(Row(line, {"start": start, "end": end, "label": label}), "start", "end", "label", faults)
        yield None, event
    faults.raise_all()
