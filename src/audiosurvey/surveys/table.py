"""A survey on the terminal: the live table, the status, the plan, and what failed."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable
from audiosurvey.pages.units import duration, size
from audiosurvey.reporting.console import shows_bars
from audiosurvey.runs.background import in_background
from audiosurvey.surveys.cell import Cell
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.status import FailedCell, RowStatus, StatusReader, SurveyStatus

if TYPE_CHECKING:
    from audiosurvey.surveys.dry_run import SurveyForecast
    from audiosurvey.surveys.work import Outcome

_SHOWN = 12
"""Running cells that are listed."""
_LONG = 40
"""Rows that the live table shows; the others are counted."""
_EVERY = 1.0
"""Seconds between refreshes."""


def status_table(status: SurveyStatus, *, most: int | None = None) -> Group:
    """One row per recipe, by data set: by their score those that are complete, then the others; then the cells that are
    running."""
    versions = {version for row in status.rows for version in row.versions}
    rows = sorted(status.rows, key=_rank)
    shown = rows[:most]
    columns = [
        Column("row", tuple(row.name for row in shown), "name"),
        Column("done", tuple(f"{row.done} of {row.cells}" for row in shown)),
        Column("running", tuple(str(row.running or "") for row in shown)),
        Column("failed", tuple(str(row.failed or "") for row in shown)),
        Column("score", tuple(_score(row) for row in shown)),
        Column("per cell", tuple("-" if row.seconds is None else duration(row.seconds) for row in shown)),
    ]
    if len(versions) > 1:
        columns.append(Column("version", tuple(", ".join(row.versions) for row in shown), "text"))
    parts: list[FittedTable | Text] = [FittedTable(columns)]
    if most is not None and len(rows) > most:
        parts.append(Text(f"and {len(rows) - most} more rows"))
    parts += [Text(f"running: {line}") for line in _running_lines(status)]
    parts.append(Text(summary_line(status)))
    return Group(*parts)


def _score(row: RowStatus) -> str:
    return "-" if row.score is None else f"{row.score:.4f}" + ("" if row.done == row.cells else " so far")


def _rank(row: RowStatus) -> tuple[str, bool, float, str]:
    """Scores on different data sets do not compare, and the score of a few folds says little about a row: those that
    are complete come first."""
    dataset = row.name.partition("@")[2]
    return dataset, row.done < row.cells, -(row.score if row.score is not None else -1.0), row.name


def _running_lines(status: SurveyStatus) -> list[str]:
    lines = []
    for one in status.running[:_SHOWN]:
        of = f" of {one.cell.epochs}" if one.cell.epochs else ""
        lines.append(f"{one.cell.title}, epoch {one.epoch}{of} done, on {one.host.split(' ')[0]} (process {one.pid})")
    if len(status.running) > _SHOWN:
        lines.append(f"and {len(status.running) - _SHOWN} more")
    return lines


def summary_line(status: SurveyStatus) -> str:
    """`12 of 30 cells done, 2 running, 1 failed; about 4 min left`."""
    line = f"{status.done} of {status.cells} cells done"
    if status.running:
        line += f", {len(status.running)} running"
    if status.failed:
        line += f", {len(status.failed)} failed"
    if status.seconds_left is not None:
        line += f"; about {duration(status.seconds_left)} left" + ("" if status.running else " in one process")
    return line


def failure_lines(status: SurveyStatus, folder: Path) -> list[str]:
    """One line for each failed cell, then the command that trains them again."""
    lines = [f"failed: {one.cell.title}: {one.message}{_traceback(one)}" for one in status.failed]
    again = f"to train failed cells again: audiosurvey survey {folder.as_posix()} --retry-failed"
    return [*lines, again] if lines else []


def _traceback(failed: FailedCell) -> str:
    """Where a failure comes from; empty for failures that have no place in the code."""
    return "" if failed.kind in ("timeout", "killed") else f" (traceback: {failed.traceback})"


def forecast_table(forecast: "SurveyForecast") -> Group:
    """The plan that `--dry-run` prints."""
    rows = forecast.rows
    columns = [
        Column("row", tuple(row.name for row in rows), "name"),
        Column("cells", tuple(str(row.cells) for row in rows)),
        Column("params", tuple(f"{row.parameters / 1e6:.2f} M" for row in rows)),
        Column("MMACs", tuple("-" if row.macs is None else f"{row.macs / 1e6:,.1f}" for row in rows)),
        Column("epochs", tuple(str(row.epochs or "?") for row in rows)),
        Column("per cell", tuple(duration(row.seconds_per_cell) for row in rows)),
        Column("to train", tuple(duration(row.seconds) for row in rows)),
        Column("disk", tuple(size(row.disk_bytes) for row in rows)),
    ]
    beside = f", {forecast.slots} cells at a time" if forecast.slots > 1 else ", one cell at a time"
    total = (
        f"{forecast.pending} of {forecast.cells} cells to train: about {duration(forecast.seconds)}{beside}; "
        f"disk {size(forecast.disk_bytes)}, while training {size(forecast.checkpoint_bytes)} more; "
        f"memory {size(forecast.peak_bytes)} per process"
    )
    by_patience = [row.name for row in forecast.rows if not row.epochs]
    notes = [Text(f"ended by patience, times of one epoch: {', '.join(by_patience)}")] if by_patience else []
    more = forecast.more_jobs
    advice = [Text(f"with --jobs {more.jobs}: about {duration(more.seconds)}")] if more else []
    return Group(FittedTable(columns), *notes, Text(total), *advice)


class LiveTable(SurveyListener):
    """Shows a survey while it runs: a table that refreshes itself, or a line for each cell if that is impossible."""

    def __init__(self, reader: StatusReader, console: Console, say: Callable[[str], None] | None = None) -> None:
        """`say`: where lines go, by default to `console`."""
        self._reader, self._console = reader, console
        self._say = say or (lambda line: console.print(line, soft_wrap=True, markup=False))
        self._told_waiting = False

    def say(self, line: str) -> None:
        self._say(line)

    def ended(self, cell: Cell, outcome: "Outcome") -> None:
        if shows_bars(self._console):
            return
        status = self._reader.read()
        words = outcome
        if outcome == "done":
            score, seconds = self._reader.result(cell.id)
            words = f"score {score:.4f}, {duration(seconds)}" if score is not None else duration(seconds)
        elif outcome == "failed":
            words += next((f": {one.message}" for one in status.failed if one.cell.id == cell.id), "")
        self.say(f"{cell.title}: {words} ({summary_line(status)})")

    def waiting(self, cells: Sequence[Cell]) -> None:
        if not self._told_waiting and not shows_bars(self._console):
            self.say(f"waiting for {len(cells)} cells that other processes train")
        self._told_waiting = True

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Refreshes the table during the block."""
        if not shows_bars(self._console):
            yield
            return
        with (
            Live(console=self._console, auto_refresh=False, transient=True) as live,
            in_background(partial(self._refresh, live)),
        ):
            yield

    def _refresh(self, live: Live, stop: threading.Event) -> None:
        while not stop.is_set():
            started = time.monotonic()
            # A cell may be replaced while it is read.
            with suppress(Exception):
                live.update(status_table(self._reader.read(), most=_LONG), refresh=True)
            # Never more than a tenth of the time.
            stop.wait(max(_EVERY, 9 * (time.monotonic() - started)))
