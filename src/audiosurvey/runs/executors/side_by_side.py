"""Folds side by side: each in a process of its own, with its share of the threads.

A small network keeps few threads busy, so that folds beside each other end sooner than one after the other with all
threads. Enters: the run of a process that holds the folder's lock, and the folds to train; leaves: the row of each, as
soon as it ends. Each process writes its own fold's folder alone.
"""

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from audiosurvey.config.root import Config
from audiosurvey.data.sounds import prepare_sounds
from audiosurvey.errors import DiskFull, Interrupted, UserError, of_the_system
from audiosurvey.report.console import side_by_side
from audiosurvey.runs.cross_validation import CrossValidation, Recorded
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.stages.pretraining import finished
from audiosurvey.runs.stages.starting import open_start
from audiosurvey.training.allocator import keep_freed_memory
from audiosurvey.training.devices import make_accelerator, number_format
from audiosurvey.training.precision import Precision

_PATIENCE = 10.0
"""Seconds that a process has to come to its end."""


def rounds(folds: Sequence[int], jobs: int) -> list[tuple[int, ...]]:
    """The folds that are trained together, one round after the other: as few rounds as `jobs` allows, all but even.

    Five folds and `jobs` 4 are rounds of three and two, so that no fold has a round, and the cores, to itself. A fold's
    round depends on the folds that were asked for alone, not on which of them are done: with the round goes the number
    of threads, and with that the last bits of the weights.
    """
    number = math.ceil(len(folds) / jobs)
    sizes = [len(folds) // number + (index < len(folds) % number) for index in range(number)]
    starts = [sum(sizes[:index]) for index in range(number)]
    return [tuple(folds[start : start + size]) for start, size in zip(starts, sizes, strict=True)]


@dataclass(frozen=True)
class Share:
    """The pending folds of a round, and what each has of the machine."""

    folds: tuple[int, ...]
    beside: int
    """How many folds the round was planned for: some may be done already."""
    threads: int


def shares(folds: CrossValidation, jobs: int) -> list[Share]:
    """The rounds in which anything is left to train."""
    pending, threads = folds.pending, torch.get_num_threads()
    found = [
        Share(tuple(fold for fold in members if fold in pending), len(members), max(1, threads // len(members)))
        for members in rounds(list(folds.splits), jobs)
    ]
    return [share for share in found if share.folds]


def refuse_jobs(jobs: int, config: Config, accelerator: Accelerator) -> None:
    """Raises UserError where folds cannot be trained side by side."""
    if jobs == 1:
        return
    if accelerator.num_processes > 1:
        raise UserError(f"--jobs {jobs}: {accelerator.num_processes} processes train each fold together; leave it out")
    if config.train.head_only:
        raise UserError(
            f"--jobs {jobs}: a linear probe (train.head_only) looks at the clips once for all folds and takes seconds "
            "a fold; leave it out"
        )


def train_side_by_side(folds: CrossValidation, jobs: int, device: str) -> None:
    """Trains the pending folds in rounds. What all of them need (pretraining, embeddings) has to be there.

    Raises UserError, when the other processes have been ended, where one of them met a mistake or (Interrupted) was
    killed. They go on at their last finished epoch with `--resume`.
    """
    for share in shares(folds, jobs):
        orders = [
            Order(
                folds.run.path,
                folds.config,
                folds.resolved_yaml,
                tuple(folds.splits),
                fold,
                share=share,
                device=device,
                precision=number_format(folds.accelerator),
                start_hash=folds.start.report.sha256 if folds.start else None,
            )
            for fold in share.folds
        ]
        _round(folds, orders)


@dataclass(frozen=True)
class Order:
    """What a process is told: one fold of a run that has begun."""

    run: Path
    config: Config
    """Resolved."""
    resolved_yaml: str
    folds: tuple[int, ...]
    """All that were asked for."""
    fold: int
    share: Share
    device: str
    precision: Precision
    start_hash: str | None
    """Of the weights of `model.init`."""


def _round(folds: CrossValidation, orders: Sequence[Order]) -> None:
    titles = {order.fold: folds.title(order.fold) for order in orders}
    progress = side_by_side(titles, folds.config.train.epochs or 0, quiet=folds.silent)
    with progress as shown, _started(orders) as running:
        while running:
            ready = wait([*running, *(process.sentinel for _, process in running.values())])
            for heard, (fold, process) in list(running.items()):
                if heard not in ready and process.sentinel not in ready:
                    continue
                kind, content = _next(heard)
                if kind == "step":
                    shown[fold].on_step(*content)
                elif kind == "epoch":
                    shown[fold].on_epoch(content)
                elif kind == "done":
                    folds.take(content)
                    del running[heard]
                elif kind == "mistake":
                    raise UserError(f"fold {fold}: {content[0]}", *content[1:])
                elif kind == "disk full":
                    raise DiskFull(f"fold {fold}: {content[0]}", *content[1:])
                else:
                    process.join(_PATIENCE)
                    raise Interrupted(_ended(fold, process, len(orders)))


def _next(heard: Connection) -> tuple[str, Any]:
    """What a process says; `ended` where it has come to its end without a word."""
    try:
        return heard.recv() if heard.poll() else ("ended", None)
    except (EOFError, OSError):
        return "ended", None


@contextmanager
def _started(orders: Sequence[Order]) -> Iterator[dict[Connection, tuple[int, BaseProcess]]]:
    """The processes, by what they are heard on; those that still run at the end of the block are ended."""
    context = multiprocessing.get_context("spawn")
    # Only this process holds `held`: when it dies, `alive` comes to its end in all of the others.
    alive, held = context.Pipe(duplex=False)
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    processes: list[BaseProcess] = []
    try:
        with _deaf_to_interrupts():
            for order in orders:
                heard, told = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(order, told, alive), name=f"fold-{order.fold}")
                process.start()
                processes.append(process)
                told.close()
                running[heard] = (order.fold, process)
        yield running
    finally:
        for process in processes:
            if process.exitcode is None:
                process.terminate()
        for process in processes:
            process.join(_PATIENCE)
            if process.exitcode is None:
                process.kill()
                process.join()
        held.close()
        alive.close()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started in the block do not hear Ctrl-C, which reaches all of a terminal: whoever started them
    answers it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ended(fold: int, process: BaseProcess, number: int) -> str:
    status = process.exitcode or 0
    if status < 0:
        memory = f"; memory may not do for {number} folds at once: give a smaller --jobs" if status == -9 else ""
        return f"fold {fold}: its process was killed (signal {-status}){memory}; the run goes on with --resume"
    return f"fold {fold}: its process ended with status {status}, for the reason above; the run goes on with --resume"


class _Relay:
    """Tells the process that started this one how the fold goes on."""

    def __init__(self, told: Connection) -> None:
        self.told = told

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        self.told.send(("step", (epoch, step, steps_per_epoch, loss)))

    def on_epoch(self, record: dict[str, Any]) -> None:
        self.told.send(("epoch", record))


def _work(order: Order, told: Connection, alive: Connection) -> None:
    """A process from its beginning to its end: trains its fold and tells what is to be recorded, or the mistake."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as where it was started, on systems that do not hand that down
    threading.Thread(target=_leave_with, args=(alive,), daemon=True).start()
    torch.set_num_threads(order.share.threads)
    try:
        told.send(("done", _trained(order, _Relay(told))))
    except UserError as error:
        told.send(_fault(error))
    except OSError as error:
        told.send(_fault(of_the_system(error)))


def _fault(error: UserError) -> tuple[str, Any]:
    return "disk full" if isinstance(error, DiskFull) else "mistake", error.lines


def _leave_with(alive: Connection) -> None:
    try:
        alive.recv()
    except (EOFError, OSError):
        os._exit(1)


def _trained(order: Order, relay: _Relay) -> Recorded:
    config = order.config
    accelerator = make_accelerator(order.device, order.precision, thaws=bool(config.model.thaw))
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    run = RunFolder(order.run)
    sounds, start = prepare_sounds(config.dataset, config.sample_rate), open_start(config)
    run.start(order.resolved_yaml, accelerator, sounds.store.hash)
    if (start and start.report.sha256) != order.start_hash:
        raise UserError(f"{order.run}: the weights of model.init changed since the run began; give another --run-dir")
    folds = CrossValidation(
        run,
        config,
        order.resolved_yaml,
        sounds,
        folds=order.folds,
        accelerator=accelerator,
        start=start,
        quiet=True,
    )
    before = finished(run.pretraining)
    if before is not None:
        folds.start_from(before)
    return folds.train_apart(order.fold, relay, beside=order.share.beside)
