"""The status of a survey, cells done, running and failed: read from its folder, also while processes work on it."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiosurvey.surveys.cell import PlannedCell
from audiosurvey.surveys.claim import Owner, is_alive
from audiosurvey.surveys.done import DoneCell, read_done
from audiosurvey.surveys.folder import CellStates, SurveyFolder, read_if_there
from audiosurvey.surveys.planning.place import survey_folder
from audiosurvey.surveys.planning.stored_plan import stored_cells, stored_search
from audiosurvey.surveys.search.asked import TRIALS, PlannedSearch, TrialCells, searched_name


@dataclass(frozen=True)
class RunningCell:
    """A cell that a process is training."""

    cell: PlannedCell
    host: str
    pid: int
    epoch: int
    """Epochs that have ended."""


@dataclass(frozen=True)
class FailedCell:
    """A cell that has failed."""

    cell: PlannedCell
    kind: str
    message: str
    traceback: str
    """Path of the file with the traceback."""


@dataclass(frozen=True)
class RowStatus:
    """The cells of one recipe, or the trials of a search."""

    name: str
    cells: int
    done: int
    """Also trials that their search has ended early."""
    running: int
    failed: int
    score: float | None
    """Mean accuracy, or mAP for several labels, of the cells that are done; None for trials."""
    seconds: float | None
    """Mean training time of the cells that are done."""
    versions: tuple[str, ...] = ()
    """Versions of audiosurvey that trained them."""


@dataclass(frozen=True)
class SurveyStatus:
    """A survey at one moment."""

    rows: list[RowStatus]
    running: list[RunningCell]
    failed: list[FailedCell]
    seconds_left: float | None
    """Estimate with the processes that are running now, or with one if none is; None before the first cell is done, and
    if nothing is left to train."""

    @property
    def cells(self) -> int:
        return sum(row.cells for row in self.rows)

    @property
    def done(self) -> int:
        return sum(row.done for row in self.rows)

    @property
    def complete(self) -> bool:
        return self.done == self.cells

    def as_json(self) -> dict[str, Any]:
        """The form of `survey --status --json`."""
        return {
            "cells": self.cells,
            "done": self.done,
            "running": [
                {"cell": one.cell.title, "id": one.cell.id, "host": one.host, "pid": one.pid, "epoch": one.epoch}
                for one in self.running
            ],
            "failed": [
                {
                    "cell": one.cell.title,
                    "id": one.cell.id,
                    "kind": one.kind,
                    "message": one.message,
                    "traceback": one.traceback,
                }
                for one in self.failed
            ],
            "seconds_left": self.seconds_left,
            "rows": [vars(row) for row in self.rows],
        }


class StatusReader:
    """Reads the status of a survey again and again; each result is read once."""

    def __init__(self, folder: SurveyFolder, cells: Sequence[PlannedCell], search: PlannedSearch | None = None) -> None:
        self.folder, self.cells, self.search = folder, cells, search
        self._results: dict[str, DoneCell] = {}
        self._lock = threading.Lock()
        """Threads may read at the same time."""

    def forget(self) -> None:
        """Reads every result again, after some of them were set aside."""
        with self._lock:
            self._results.clear()

    def read(self) -> SurveyStatus:
        with self._lock:
            return self._read()

    def _read(self) -> SurveyStatus:
        states = self.folder.states()
        trials = TrialCells.read(self.folder, self.search) if self.search else TrialCells([], 0)
        every = [*trials.asked, *self.cells]
        for cell in every:
            if cell.id in states.done and cell.id not in self._results:
                self._results[cell.id] = self._result(cell)
        claims = [cell for cell in every if cell.id in states.claimed]
        running = [one for cell in claims if (one := self._running(cell)) is not None]
        busy = {one.cell.id for one in running}
        rows: dict[str, list[PlannedCell]] = defaultdict(list)
        for cell in self.cells:
            rows[cell.row].append(cell)
        base = self.cells[0].row if self.search and self.cells else None
        if base:
            # What the search finds has as many cells, which are counted from the beginning.
            rows.setdefault(searched_name(base), [])
        found = [self._row(name, cells, states, busy) for name, cells in rows.items()]
        if base:
            found = [replace(row, cells=max(row.cells, len(rows[base]))) for row in found]
        if self.search:
            row = self._row(TRIALS, trials.asked, states, busy)
            found.append(replace(row, cells=trials.total, score=None))
        failures = [self._failure(cell) for cell in every if cell.id in states.failed]
        return SurveyStatus(found, running, failures, self._seconds_left(found, running))

    def result(self, cell_id: str) -> tuple[float | None, float]:
        """Score and seconds of a cell that was done at the last reading."""
        found = self._results[cell_id]
        return found.score, found.seconds

    def _result(self, cell: PlannedCell) -> DoneCell:
        return read_done(self.folder.cells / cell.id)

    def _running(self, cell: PlannedCell) -> RunningCell | None:
        folder = self.folder.cell(cell)
        owner = Owner.read(folder.claim)
        if owner is None or not is_alive(folder.claim):
            return None
        return RunningCell(cell, owner.host, owner.pid, folder.epochs)

    def _failure(self, cell: PlannedCell) -> FailedCell:
        folder = self.folder.cell(cell)
        found = read_if_there(folder.failure) or {}
        kind, message = str(found.get("kind", "error")), str(found.get("message", "the reason cannot be read"))
        return FailedCell(cell, kind, message, folder.traceback.as_posix())

    def _row(self, name: str, cells: Sequence[PlannedCell], states: CellStates, busy: set[str]) -> RowStatus:
        ended = [self._results[cell.id] for cell in cells if cell.id in states.done]
        return RowStatus(
            name,
            len(cells),
            len(ended) + sum(cell.id in states.pruned for cell in cells),
            sum(cell.id in busy for cell in cells),
            sum(cell.id in states.failed for cell in cells),
            _mean(one.score for one in ended),
            _mean(one.seconds for one in ended),
            tuple(sorted({one.version for one in ended})),
        )

    def _seconds_left(self, rows: Sequence[RowStatus], running: Sequence[RunningCell]) -> float | None:
        known = _mean(one.seconds for one in self._results.values())
        if known is None or all(row.done + row.failed >= row.cells for row in rows):
            return None
        left = sum((row.cells - row.done - row.failed) * (row.seconds or known) for row in rows)
        by_row = {row.name: row.seconds or known for row in rows}
        for one in running:
            if one.cell.epochs:
                left -= by_row.get(one.cell.row, by_row.get(TRIALS, known)) * min(1.0, one.epoch / one.cell.epochs)
        return left / max(1, len(running))


def survey_status(path: Path) -> SurveyStatus:
    """Where a survey folder stands, also while processes work on it. Raises UserError if it is none."""
    folder = survey_folder(path)
    return StatusReader(folder, stored_cells(folder), stored_search(folder)).read()


def _mean(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None
