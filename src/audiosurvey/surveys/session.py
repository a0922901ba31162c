"""Works on a survey: trains missing cells, updates the run folders, and reports the outcome of each cell."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from filelock import FileLock

from audiosurvey.errors import ArgumentError
from audiosurvey.runs.results.run_folder import RESULT, RunFolder
from audiosurvey.runs.results.stored import read_json
from audiosurvey.surveys.cell import Cell, PlannedCell
from audiosurvey.surveys.derived import derive_runs, run_name, set_aside_others
from audiosurvey.surveys.done import damage
from audiosurvey.surveys.executors.executor import Executor, Task
from audiosurvey.surveys.folder import CellFolder, Identified, SurveyFolder, read_if_there
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.planning.plan import SurveyPlan
from audiosurvey.surveys.replaced import set_aside_run
from audiosurvey.surveys.work import Keeping, Outcome
from audiosurvey.version import __version__

AnyCell = TypeVar("AnyCell", bound=Identified)

_WAIT = 2.0
"""Seconds between looks at cells that other processes train."""


def prepare_cells(
    plan: SurveyPlan, cells: Sequence[Cell], listener: SurveyListener, *, retry_failed: bool, fresh: bool
) -> list[Cell]:
    """The cells to train. `retry_failed`: also those that failed; `fresh`: also those that another version trained."""
    # Those of other shards too: the runs are made from all cells.
    set_aside_damaged(plan.folder, plan.cells, listener)
    states = plan.folder.states()
    if fresh:
        set_aside_older(plan.folder, [cell for cell in cells if cell.id in states.done], listener)
    if retry_failed:
        for cell in cells:
            if cell.id in states.failed:
                plan.folder.cell(cell).forget_failure()
    return _still_open(plan, cells)


def of_other_versions(survey: SurveyFolder, cells: Sequence[AnyCell]) -> list[AnyCell]:
    """Those of these cells that are done, by another version."""
    places = [(cell, survey.cell(cell)) for cell in cells]
    return [cell for cell, place in places if place.done and _version(place) != __version__]


def set_aside_older(survey: SurveyFolder, cells: Sequence[Cell | PlannedCell], listener: SurveyListener) -> None:
    """Sets aside cells that another version has trained, and the runs that were made from them."""
    # Several processes may begin at the same time.
    with FileLock(survey.path / "plan.lock"), FileLock(survey.path / "runs.lock"):
        for cell in of_other_versions(survey, cells):
            folder = survey.cell(cell)
            survey.set_aside(folder.path, _version(folder))
            if (run := survey.runs / run_name(cell.row, cell.seed)).exists():
                set_aside_run(survey, run, "made from cells of another version", listener.say)


def set_aside_damaged(survey: SurveyFolder, cells: Sequence[Cell | PlannedCell], listener: SurveyListener) -> None:
    """Sets aside those of these cells that are done, but whose result or predictions are damaged, and removes them from
    the runs."""
    with FileLock(survey.path / "plan.lock"), FileLock(survey.path / "runs.lock"):
        done = survey.states().done
        for cell in cells:
            path = survey.cells / cell.id
            if cell.id in done and (fault := damage(path)):
                run = RunFolder(survey.runs / run_name(cell.row, cell.seed))
                shutil.rmtree(run.fold(cell.fold), ignore_errors=True)
                run.results_path.unlink(missing_ok=True)
                target = survey.set_aside(path, "damaged")
                listener.say(f"{fault}; moved to {target.as_posix()}, and trained again")


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
    set_aside_others(plan, listener.say)
    running = executor() if cells else None
    try:
        if running:
            _work(plan, cells, running, listener)
    finally:
        if running:
            running.close()
    derive_runs(plan, listener.say)


def _work(plan: SurveyPlan, cells: Sequence[Cell], running: Executor, listener: SurveyListener) -> None:
    most, failures = plan.survey.spec.max_failures, 0
    for cell, outcome in run_to_end(running, _tasks(plan, cells, running), listener, partial(_still_open, plan)):
        if outcome == "done":
            derive_runs(plan, listener.say, only=cell)
        listener.ended(cell, outcome)
        failures += outcome == "failed"
        if most is not None and failures >= most:
            raise ArgumentError(
                f"stopped after {failures} failed cells (max_failures); "
                "correct what failed, and run the survey again with {retry_failed}",
                retry_failed=True,
            )
    _retry_out_of_memory(plan, cells, running, listener)


def run_to_end(
    executor: Executor,
    tasks: Sequence[Task],
    listener: SurveyListener,
    still_open: Callable[[Sequence[Cell]], Sequence[Cell]] = lambda cells: cells,
) -> Iterator[tuple[Cell, Outcome]]:
    """Runs tasks, and yields each cell as it ends. Cells that other processes train are tried again until they have
    ended; `still_open` may leave out those that have ended elsewhere."""
    left = list(tasks)
    while left:
        busy: list[Cell] = []
        for cell, outcome in executor.run(left):
            if outcome == "busy":
                busy.append(cell)
            else:
                yield cell, outcome
        waiting = still_open(busy)
        if waiting and len(waiting) == len(busy):
            listener.waiting(waiting)
            time.sleep(_WAIT)
            waiting = still_open(waiting)
        ids = {cell.id for cell in waiting}
        left = [task for task in left if task.cell.id in ids]


def _tasks(plan: SurveyPlan, cells: Sequence[Cell], executor: Executor) -> list[Task]:
    keeping = Keeping(plan.survey.spec.keep, plan.survey.spec.timeout, alone=executor.whole_device)
    return [Task(plan.folder.path.absolute(), cell, keeping) for cell in cells]


def _retry_out_of_memory(plan: SurveyPlan, cells: Sequence[Cell], executor: Executor, listener: SurveyListener) -> None:
    """Cells that ran out of memory beside others are tried once more, one at a time."""
    if executor.slots == 1:
        return
    if again := forget_out_of_memory(plan.folder, cells):
        alone = executor.alone()
        try:
            for cell, outcome in run_to_end(alone, _tasks(plan, again, alone), listener, partial(_still_open, plan)):
                if outcome == "done":
                    derive_runs(plan, listener.say, only=cell)
                listener.ended(cell, outcome)
        finally:
            alone.close()


def forget_out_of_memory(survey: SurveyFolder, cells: Sequence[AnyCell]) -> list[AnyCell]:
    """Those of these cells that ran out of memory. They are open again, but each only once."""
    again = []
    for cell in cells:
        folder = survey.cell(cell)
        failure = read_if_there(folder.failure)
        if failure and failure.get("kind") == "memory" and not (folder.path / "alone").exists():
            (folder.path / "alone").touch()
            folder.forget_failure()
            again.append(cell)
    return again


def _still_open(plan: SurveyPlan, cells: Sequence[Cell]) -> list[Cell]:
    ended = plan.folder.states().ended
    return [cell for cell in cells if cell.id not in ended]


def _version(folder: CellFolder) -> str:
    return str(read_json(folder.path / RESULT, "remove it; the cell is then trained again").get("version", "earlier"))
