"""Cells side by side: each in one of several processes, which live as long as the survey.

A process that is killed is replaced, and its cell continues from its last epoch.
"""

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from audiosurvey.errors import DiskFull, UserError
from audiosurvey.runs.executors.children import end, end_with_parent, ignoring_interrupts
from audiosurvey.surveys.cell import Cell
from audiosurvey.surveys.executors.executor import Task, spare_collector
from audiosurvey.surveys.folder import SurveyFolder
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.work import MOST_DEATHS, Outcome, record_failure

_GRACE = 60.0
"""Seconds after its timeout at which a cell that does not react is killed."""


class ProcessExecutor:
    """Trains `jobs` cells at a time, each in its own process."""

    def __init__(self, jobs: int) -> None:
        self.slots = jobs
        self.whole_device = jobs == 1
        self._workers: _Workers | None = None
        self._deaths: dict[str, tuple[int, int]] = {}
        """Epochs of a cell when its process died last, and how often that was so in a row."""

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Cell, Outcome]]:
        waiting = deque(tasks)
        workers = self._workers = self._workers or _Workers()
        workers.grow(min(self.slots, len(tasks)))
        try:
            while waiting or workers.working:
                for worker in workers.idle:
                    if waiting:
                        worker.start(waiting.popleft())
                for worker in workers.ready():
                    task = worker.task
                    assert task is not None, "only workers with a task are waited for"
                    outcome = worker.outcome()
                    if isinstance(outcome, UserError):
                        raise outcome
                    if outcome is None:
                        # Killed: the cell continues in a new process, which counts how often that happens to a claim.
                        workers.replace(worker)
                        if self._dies_before_its_claim(task):
                            yield task.cell, "failed"
                        else:
                            waiting.appendleft(task)
                    else:
                        yield task.cell, outcome
                for worker in workers.overdue():
                    task = worker.task
                    workers.replace(worker)
                    if task is not None:
                        folder = SurveyFolder(task.survey).cell(task.cell)
                        message = f"took longer than the timeout of {task.keeping.timeout:g} s and did not respond"
                        record_failure(folder, "timeout", message, message + "; its process was killed\n")
                        yield task.cell, "failed"
        finally:
            if workers.working:
                self.close()

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def _dies_before_its_claim(self, task: Task) -> bool:
        """Counts the processes that died in a cell, and gives it up where they do not even get to its claim."""
        folder = SurveyFolder(task.survey).cell(task.cell)
        epochs, count = self._deaths.get(task.cell.id, (0, 0))
        count = count + 1 if epochs == folder.epochs else 1
        self._deaths[task.cell.id] = (folder.epochs, count)
        if count <= MOST_DEATHS + 1 or folder.done or folder.failure.exists():
            return False
        record_failure(
            folder,
            "killed",
            f"its process died {count} times in a row; see {folder.log}",
            "no traceback\n",
        )
        return True

    def alone(self) -> "ProcessExecutor":
        self.close()
        return ProcessExecutor(1)


@dataclass
class _Worker:
    """A process and the cell it trains."""

    process: BaseProcess
    connection: Connection
    task: Task | None = None
    since: float = 0.0

    def start(self, task: Task) -> None:
        self.task, self.since = task, time.time()
        with suppress(OSError):  # a process that has just died is noticed when its answer is read
            self.connection.send(task)

    @property
    def last_sign(self) -> float:
        """When it wrote to the log of its cell, or began it."""
        assert self.task is not None
        try:
            return max(self.since, SurveyFolder(self.task.survey).cell(self.task.cell).log.stat().st_mtime)
        except OSError:
            return self.since

    def outcome(self) -> Outcome | UserError | None:
        """What became of the cell; None if the process died."""
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            return None
        self.task = None
        return answer


class _Workers:
    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        # Only this process holds `held`: when it dies, `alive` is closed in all the others.
        self._alive, self._held = self._context.Pipe(duplex=False)
        self._workers: list[_Worker] = []

    def grow(self, number: int) -> None:
        """Starts processes until there are so many."""
        try:
            while len(self._workers) < number:
                self._workers.append(self._started())
        except BaseException:
            self.close()
            raise

    def _started(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._alive))
        with ignoring_interrupts():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    @property
    def idle(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.task is None]

    @property
    def working(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.task is not None]

    def ready(self) -> list[_Worker]:
        """Workers that have answered or died, after a second at most."""
        working = self.working
        by = {worker.connection: worker for worker in working} | {worker.process.sentinel: worker for worker in working}
        found = wait(list(by), timeout=1.0)
        return list({id(by[one]): by[one] for one in found}.values())  # pyright: ignore[reportArgumentType]

    def overdue(self) -> list[_Worker]:
        """Workers that have neither ended nor written to the log of their cell in time."""
        return [
            worker
            for worker in self.working
            if worker.task
            and worker.task.keeping.timeout
            and time.time() - worker.last_sign > worker.task.keeping.timeout + _GRACE
        ]

    def replace(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
        self._workers[self._workers.index(worker)] = self._started()

    def close(self) -> None:
        for worker in self._workers:
            if worker.task is None:
                with suppress(OSError):
                    worker.connection.send(None)
            else:
                worker.process.terminate()
        end(worker.process for worker in self._workers)
        for worker in self._workers:
            worker.connection.close()
        self._workers.clear()
        self._held.close()
        self._alive.close()


def _work(connection: Connection, alive: Connection) -> None:
    """A worker from beginning to end. What its cells print goes to their logs."""
    end_with_parent(alive)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # releases the claim
    opener = Opener()
    spare_collector()
    while True:
        try:
            task: Task | None = connection.recv()
        except (EOFError, OSError):
            return
        if task is None:
            return
        _print_to(SurveyFolder(task.survey).cell(task.cell).log)
        try:
            connection.send(task.run(opener))
        except DiskFull as error:
            connection.send(error)
        except Exception:
            traceback.print_exc()
            raise


def _print_to(path: Path) -> None:
    """Sends everything that this process prints, its libraries too, to the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
