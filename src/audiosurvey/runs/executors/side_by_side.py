"""Folds side by side: each in a process of its own, with its share of the threads.

A small network keeps few threads busy, so folds side by side end sooner than folds that follow each other with all
threads. Each process writes the folder of its own fold; the process that started it collects the results.
"""

import logging
import math
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from accelerate import Accelerator

from audiosurvey.config.root import Config
from audiosurvey.errors import ArgumentError, Interrupted, UserError, of_the_system
from audiosurvey.runs.executors.children import PATIENCE, end, end_with_parent, ignoring_interrupts
from audiosurvey.runs.job import FoldJob, open_context, run_job
from audiosurvey.runs.listener import DrawBatch, RunListener
from audiosurvey.runs.recorder import Recorder

_log = logging.getLogger("audiosurvey")


def rounds(folds: Sequence[int], jobs: int) -> list[tuple[int, ...]]:
    """The folds that are trained together, round by round: as few rounds as `jobs` allows, of nearly equal size.

    Five folds and `jobs` 4 are rounds of three and two, so that no fold has all the cores to itself. The round of a
    fold depends only on the folds that were asked for, not on which of them are done: it determines the number of
    threads, and with it the last bits of the weights.
    """
    number = math.ceil(len(folds) / jobs)
    sizes = [len(folds) // number + (index < len(folds) % number) for index in range(number)]
    starts = [sum(sizes[:index]) for index in range(number)]
    return [tuple(folds[start : start + size]) for start, size in zip(starts, sizes, strict=True)]


@dataclass(frozen=True)
class Round:
    """The pending folds of a round, and the share of the machine that each has."""

    folds: tuple[int, ...]
    planned: int
    """Folds that the round was planned for; some of them may be done."""
    threads: int


def plan_rounds(folds: Sequence[int], pending: Sequence[int], jobs: int, threads: int | None = None) -> list[Round]:
    """The rounds in which something is left to train. `threads`: of the whole machine, by default those of torch."""
    threads = threads or torch.get_num_threads()
    found = [
        Round(tuple(fold for fold in members if fold in pending), len(members), max(1, threads // len(members)))
        for members in rounds(folds, jobs)
    ]
    return [members for members in found if members.folds]


def refuse_jobs(jobs: int, config: Config, accelerator: Accelerator) -> None:
    """Raises UserError if folds cannot be trained side by side."""
    if jobs == 1:
        return
    if accelerator.num_processes > 1:
        raise ArgumentError(
            f"{{jobs}}: {accelerator.num_processes} processes train each fold together; leave it out", jobs=jobs
        )
    if config.train.head_only:
        raise ArgumentError(
            "{jobs}: a linear probe (train.head_only) looks at the clips once for all folds and takes seconds a fold; "
            "leave it out",
            jobs=jobs,
        )


def run_side_by_side(jobs: Sequence[Sequence[FoldJob]], recorder: Recorder, listener: RunListener) -> None:
    """Trains the folds round by round. What all of them need (pretraining, embeddings) must be in the run folder.

    Raises UserError if one of the processes met an error or (Interrupted) was killed; the others are ended first, and
    resuming the run continues each fold after its last finished epoch.
    """
    for members in jobs:
        _run_round(members, recorder, listener)


def _run_round(jobs: Sequence[FoldJob], recorder: Recorder, listener: RunListener) -> None:
    with (
        listener.stages([job.title for job in jobs], jobs[0].epochs) as listeners,
        _started(jobs, listener.draw_batch) as running,
    ):
        shown = {job.fold: one for job, one in zip(jobs, listeners, strict=True)}
        while running:
            ready = wait([*running, *(process.sentinel for _, process in running.values())])
            for connection, (fold, process) in list(running.items()):
                if connection not in ready and process.sentinel not in ready:
                    continue
                kind, content = _next_message(connection)
                if kind == "step":
                    shown[fold].on_step(*content)
                elif kind == "epoch":
                    shown[fold].on_epoch(content)
                elif kind == "log":
                    _log.log(*content)
                elif kind == "done":
                    listener.recorded(recorder.context.run, recorder.collect())
                    del running[connection]
                elif kind == "error":
                    raise content.at(f"fold {fold}")
                else:
                    process.join(PATIENCE)
                    raise Interrupted(_how_it_ended(fold, process, len(jobs)), jobs=..., resume=True)


def _next_message(connection: Connection) -> tuple[str, Any]:
    """The next message of a process; `ended` if it ended without one."""
    try:
        return connection.recv() if connection.poll() else ("ended", None)
    except (EOFError, OSError):
        return "ended", None


@contextmanager
def _started(jobs: Sequence[FoldJob], draw: DrawBatch | None) -> Iterator[dict[Connection, tuple[int, BaseProcess]]]:
    """The processes by their connections; those still running at the end of the block are ended."""
    context = multiprocessing.get_context("spawn")
    # Only this process holds `held`: when it dies, `alive` is closed in all the others.
    alive, held = context.Pipe(duplex=False)
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    processes: list[BaseProcess] = []
    try:
        with ignoring_interrupts():
            for job in jobs:
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(job, draw, sender, alive), name=f"fold-{job.fold}")
                process.start()
                processes.append(process)
                sender.close()
                running[receiver] = (job.fold, process)
        yield running
    finally:
        for process in processes:
            process.terminate()
        end(processes)
        held.close()
        alive.close()


def _how_it_ended(fold: int, process: BaseProcess, number: int) -> str:
    status = process.exitcode or 0
    if status < 0:
        memory = f"; memory may not do for {number} folds at once: give a smaller {{jobs}}" if status == -9 else ""
        return f"fold {fold}: its process was killed (signal {-status}){memory}; continue with {{resume}}"
    return f"fold {fold}: its process ended with status {status}, for the reason above; continue with {{resume}}"


class _LogRelay(logging.Handler):
    """Sends what is logged to the process that started this one."""

    def __init__(self, sender: Connection) -> None:
        super().__init__()
        self._sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        self._sender.send(("log", (record.levelno, "%s", record.getMessage())))


class _Relay(RunListener):
    """Sends the progress of a fold to the process that started this one."""

    def __init__(self, sender: Connection, draw: DrawBatch | None) -> None:
        self._sender, self.draw_batch = sender, draw

    @contextmanager
    def stages(self, titles: Sequence[str], epochs: int) -> Iterator[Sequence["_Relay"]]:
        yield [self]

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        self._sender.send(("step", (epoch, step, steps_per_epoch, loss)))

    def on_epoch(self, record: dict[str, Any]) -> None:
        self._sender.send(("epoch", record))


def _work(job: FoldJob, draw: DrawBatch | None, sender: Connection, alive: Connection) -> None:
    """A process from beginning to end: trains and records its fold, and reports that it is done or what went wrong."""
    end_with_parent(alive)
    _log.addHandler(_LogRelay(sender))
    torch.set_num_threads(job.threads)
    try:
        context = open_context(job)
        recorder = Recorder(context, job.about, golden_clips=job.golden_clips)
        recorder.fold(run_job(job, context, _Relay(sender, draw)))
        sender.send(("done", None))
    except UserError as error:
        sender.send(("error", error))
    except OSError as error:
        sender.send(("error", of_the_system(error)))
