"""Works on a survey: trains what is missing, brings the run folders up to date, and says what became of each cell."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from audiosurvey.errors import UserError
from audiosurvey.runs.results.results import read_json
from audiosurvey.runs.results.run_folder import RESULT
from audiosurvey.survey.cell import Cell
from audiosurvey.survey.derived import derive_runs
from audiosurvey.survey.executors.executor import Executor, Task
from audiosurvey.survey.folder import CellFolder, read_if_there
from audiosurvey.survey.plan import SurveyPlan
from audiosurvey.survey.work import Keeping, Outcome
from audiosurvey.version import __version__

_WAIT = 2.0
"""Seconds between looks at cells that other processes train."""


@dataclass(frozen=True)
class Shard:
    """Every `of`-th cell, beginning with number `index` (from 1)."""

    index: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """`3/20`. Raises UserError."""
        first, _, second = text.partition("/")
        if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
            return cls(int(first), int(second))
        raise UserError(f"--shard {text}: expected I/N with I from 1 to N, such as 3/20")

    def of_cells(self, cells: Sequence[Cell]) -> list[Cell]:
        return list(cells[self.index - 1 :: self.of])


class SurveyListener:
    """Follows a survey. This one stays silent."""

    def say(self, line: str) -> None:
        """One line about what happens."""

    def ended(self, cell: Cell, outcome: Outcome) -> None:
        """A cell is done or has failed."""

    def waiting(self, cells: Sequence[Cell]) -> None:
        """All cells that are left are trained by other processes."""


def prepare_cells(plan: SurveyPlan, cells: Sequence[Cell], *, retry_failed: bool, fresh: bool) -> list[Cell]:
    """The cells to train. `retry_failed`: also those that failed; `fresh`: also those that another version trained."""
    done, failed = plan.folder.done(), plan.folder.failed()
    if fresh:
        for cell in cells:
            if cell.id in done and (version := _version(_folder(plan, cell))) != __version__:
                plan.folder.set_aside(cell.id, version)
                done.discard(cell.id)
    if retry_failed:
        for cell in cells:
            if cell.id in failed:
                _forget_failure(_folder(plan, cell))
        failed = set()
    return [cell for cell in cells if cell.id not in done | failed]


def work(
    plan: SurveyPlan,
    cells: Sequence[Cell],
    executor: Callable[[], Executor],
    listener: SurveyListener = SurveyListener(),
) -> None:
    """Trains these cells, and waits for those that other processes train. `executor` is made if there is something to
    do.

    A cell that fails does not stop the others, unless `max_failures` of the survey is reached: then UserError is
    raised.
    """
    running = executor() if cells else None
    try:
        if running:
            _work(plan, cells, running, listener)
    finally:
        if running:
            running.close()
    derive_runs(plan)


def _work(plan: SurveyPlan, cells: Sequence[Cell], running: Executor, listener: SurveyListener) -> None:
    spec = plan.survey.spec
    keeping = Keeping(spec.keep, spec.timeout)
    failures = 0
    left = list(cells)
    while left:
        busy: list[Cell] = []
        for cell, outcome in _run(running, plan, left, keeping):
            if outcome == "busy":
                busy.append(cell)
                continue
            if outcome == "done":
                derive_runs(plan, only=cell)
            listener.ended(cell, outcome)
            failures += outcome == "failed"
            if spec.max_failures is not None and failures >= spec.max_failures:
                raise UserError(
                    f"stopped after {failures} failed cells (max_failures); "
                    "correct what failed, and run the survey again with --retry-failed"
                )
        left = _still_open(plan, busy)
        if left and len(busy) == len(left):
            listener.waiting(left)
            time.sleep(_WAIT)
            left = _still_open(plan, left)
    _retry_out_of_memory(plan, cells, running, keeping, listener)


def _run(
    executor: Executor, plan: SurveyPlan, cells: Sequence[Cell], keeping: Keeping
) -> Iterator[tuple[Cell, Outcome]]:
    ended = executor.run([Task(plan.folder.path.absolute(), cell, keeping) for cell in cells])
    try:
        yield from ended
    finally:
        close = getattr(ended, "close", None)
        if close is not None:
            close()


def _retry_out_of_memory(
    plan: SurveyPlan, cells: Sequence[Cell], executor: Executor, keeping: Keeping, listener: SurveyListener
) -> None:
    """Cells that ran out of memory beside others are tried once more, one at a time."""
    if executor.slots == 1:
        return
    again = []
    for cell in cells:
        folder = _folder(plan, cell)
        failure = read_if_there(folder.failure)
        if failure and failure.get("kind") == "memory" and not (folder.path / "alone").exists():
            (folder.path / "alone").touch()
            _forget_failure(folder)
            again.append(cell)
    if again:
        alone = executor.alone()
        try:
            for cell, outcome in _run(alone, plan, again, keeping):
                if outcome == "done":
                    derive_runs(plan, only=cell)
                listener.ended(cell, outcome)
        finally:
            alone.close()


def _still_open(plan: SurveyPlan, cells: Sequence[Cell]) -> list[Cell]:
    done, failed = plan.folder.done(), plan.folder.failed()
    return [cell for cell in cells if cell.id not in done | failed]


def _folder(plan: SurveyPlan, cell: Cell) -> CellFolder:
    return plan.folder.cell(cell.id, cell.shared)


def _forget_failure(folder: CellFolder) -> None:
    for path in (folder.path / "deaths.json", folder.traceback, folder.failure):
        with suppress(FileNotFoundError):
            path.unlink()


def _version(folder: CellFolder) -> str:
    return str(read_json(folder.path / RESULT, "remove it; the cell is then trained again").get("version", "earlier"))
