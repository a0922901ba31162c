"""Trains one cell: claims it, continues from its checkpoint, and writes a result or a failure."""

import json
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from filelock import BaseFileLock, FileLock, Timeout

from audiosurvey.atomic import write_text
from audiosurvey.config.resolved import resolved_yaml
from audiosurvey.errors import DiskFull, UserError, is_full, of_the_system
from audiosurvey.runs.experiment import Experiment
from audiosurvey.runs.job import FoldJob, open_context, run_job
from audiosurvey.runs.listener import Advance, RunListener
from audiosurvey.runs.recorder import Recorder
from audiosurvey.runs.results.environment import environment
from audiosurvey.runs.results.stored import write_json
from audiosurvey.runs.stages.context import RunContext
from audiosurvey.runs.stages.embeddings import FILE as EMBEDDINGS
from audiosurvey.runs.stages.pretraining import pretrain
from audiosurvey.surveys.cell import Cell
from audiosurvey.surveys.claim import Claim, ClaimLost, claimed, this_host
from audiosurvey.surveys.folder import CellFolder, Pruned, SurveyFolder, read_if_there
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.threads import threads
from audiosurvey.training.listener import Listener, Record
from audiosurvey.version import __version__

Outcome = Literal["done", "failed", "pruned", "busy"]
"""`pruned`: a trial that its search has ended early; `busy`: another process trains the cell, or has taken it over."""
Kind = Literal["error", "user", "memory", "timeout", "killed"]
_WAITING_SECONDS = 10.0
MOST_DEATHS = 5
"""Processes that may die in a row without finishing an epoch before a cell counts as failed."""


@dataclass(frozen=True)
class Keeping:
    """What is kept of a cell, and how long it may take."""

    keep: Literal["predictions", "model", "all"] = "predictions"
    timeout: float | None = None
    """Seconds, without what is made for several cells: pretraining and embeddings."""
    alone: bool = True
    """Whether no other cell uses the same GPU at the same time."""


class CellTimeout(UserError):
    """The cell takes longer than the survey allows."""


def train_cell(cell: Cell, survey: SurveyFolder, keeping: Keeping, opener: Opener) -> Outcome:
    """Trains a cell that has neither a result nor a failure. Nothing but Ctrl-C and a full disk (DiskFull) raises."""
    try:
        return _train_claimed(cell, survey.cell(cell), keeping, opener)
    except OSError as error:
        raise of_the_system(error) from error


def _train_claimed(cell: Cell, folder: CellFolder, keeping: Keeping, opener: Opener) -> Outcome:
    if folder.done:
        return "done"
    with claimed(folder.claim) as claim:
        if claim is None:
            return "busy"
        if folder.done:
            return "done"
        if folder.failure.exists():
            return "failed"
        if folder.pruned.exists():
            return "pruned"
        try:
            _refuse_deaths(folder, claim)
            with threads(cell.conditions.threads):
                _train(cell, folder, keeping, opener, claim)
        except ClaimLost:
            return "busy"
        except Pruned:
            folder.tidy(keep_checkpoint=False)
            write_json(folder.pruned, {"schema": 1, "epochs": folder.epochs})
            return "pruned"
        except DiskFull:
            raise
        except Exception as error:
            if isinstance(error, OSError) and is_full(error):
                raise
            if not claim.held:
                return "busy"
            record_failure(folder, _kind(error), _one_line(error), "".join(traceback.format_exception(error)))
            return "failed"
        folder.tidy(keep_checkpoint=keeping.keep == "all")
        return "done"


def record_failure(folder: CellFolder, kind: Kind, message: str, details: str) -> None:
    """Writes failure.json, and beside it the traceback."""
    write_text(folder.traceback, details)
    fields = {"schema": 1, "kind": kind, "message": message, "host": this_host(), "version": __version__}
    write_json(folder.failure, fields)


def _train(cell: Cell, folder: CellFolder, keeping: Keeping, opener: Opener, claim: Claim) -> None:
    experiment = opener.experiment(cell.config, [cell.fold])
    weights = experiment.init
    job = FoldJob(
        folder,
        cell.fold,
        cell.config,
        experiment.about,
        device=cell.conditions.device,
        precision=cell.config.precision,
        threads=cell.conditions.threads,
        side_by_side=1,
        alone=keeping.alone,
        init_hash=weights.report.sha256 if weights else None,
        trial=cell.trial,
    )
    with _CellListener(cell, folder, keeping.timeout) as listener:
        context, embedded = _shared(open_context(job, experiment), experiment, cell, folder, listener)
        job = replace(job, counts_embeddings=embedded)
        listener.start_clock()
        about = context.with_weights(job.about)
        if cell.trial:
            about = about.changed(search_trial=True)
        if not folder.config_path.exists():
            facts = environment(context.accelerator) | {"data_hash": experiment.sounds.store.hash}
            if experiment.background_hash is not None:
                facts["background_hash"] = experiment.background_hash
            write_json(folder.environment_path, facts | {"torch_threads": cell.conditions.threads})
            write_text(folder.config_path, resolved_yaml(cell.config))
        result = run_job(job, context, listener, [claim.stop_hook, folder.stop_hook])
        claim.check()
        Recorder(context, about).fold(result, model=keeping.keep != "predictions")


def _shared(
    context: RunContext, experiment: Experiment, cell: Cell, folder: CellFolder, listener: RunListener
) -> tuple[RunContext, bool]:
    """Makes what cells share, unless it is there: one process makes it, the others wait. Also returns whether this one
    has computed the embeddings."""
    settings, embedded = cell.config.train, False
    if experiment.pretrain_on is None and not (settings.head_only or settings.head_first):
        return context, embedded
    folder.shared.mkdir(parents=True, exist_ok=True)
    with _patiently(FileLock(folder.shared / "lock"), folder):
        if experiment.pretrain_on is not None:
            finished = pretrain(
                cell.config,
                experiment.pretrain_on,
                context.sounds,
                folder,
                accelerator=context.accelerator,
                init=context.init,
                listener=listener,
            )
            context = context.after(finished)
        if settings.head_only or settings.head_first:
            embedded = not (folder.embeddings / EMBEDDINGS).exists()
            split = experiment.splits[cell.fold]
            context.write_embeddings(context.stage(cell.config, split.train, cell.fold), listener)
    return context, embedded


@contextmanager
def _patiently(lock: BaseFileLock, folder: CellFolder) -> Iterator[None]:
    """Holds a lock. While it waits, it touches the log, which shows that the process is alive."""
    while True:
        try:
            lock.acquire(timeout=_WAITING_SECONDS)
            break
        except Timeout:
            folder.log.touch()
    try:
        yield
    finally:
        lock.release()


def _refuse_deaths(folder: CellFolder, claim: Claim) -> None:
    """Counts the processes that died in this cell; raises if they cannot finish an epoch."""
    before: dict[str, Any] = read_if_there(folder.deaths) or {}
    epochs = folder.epochs
    if not claim.taken_over:
        return
    count = before.get("count", 0) + 1 if before.get("epochs") == epochs else 1
    write_text(folder.deaths, json.dumps({"count": count, "epochs": epochs}))
    if count >= MOST_DEATHS:
        raise _Killed(
            f"its process was killed {count} times without finishing epoch {epochs + 1}; memory may be too small for "
            "so many cells at once"
        )


class _Killed(UserError):
    """The processes of the cell die repeatedly."""


def _kind(error: BaseException) -> Kind:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return "memory"
    if isinstance(error, RuntimeError) and "alloc" in str(error) and "memory" in str(error):
        return "memory"
    if isinstance(error, CellTimeout):
        return "timeout"
    if isinstance(error, _Killed):
        return "killed"
    return "user" if isinstance(error, UserError) else "error"


def _one_line(error: BaseException) -> str:
    if isinstance(error, UserError):
        return " ".join(line.strip() for line in error.lines)
    if _kind(error) == "memory":
        return "out of memory" + (f": {_first_line(error)}" if str(error) else "")
    return f"{type(error).__name__}: {_first_line(error)}" if str(error) else type(error).__name__


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300]


class _CellListener(RunListener):
    """Writes the log of a cell, and ends it when its time is over."""

    def __init__(self, cell: Cell, folder: CellFolder, timeout: float | None) -> None:
        self._cell, self._timeout = cell, timeout
        self._deadline: float | None = None
        folder.path.mkdir(parents=True, exist_ok=True)
        self._file = folder.log.open("a", encoding="utf-8")
        self.say(f"{cell.title}: begins on {this_host()}, audiosurvey {__version__}")

    def start_clock(self) -> None:
        """From here on the timeout counts."""
        self._deadline = time.monotonic() + self._timeout if self._timeout else None

    def __enter__(self) -> "_CellListener":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.say("done" if error is None else f"ended by {type(error).__name__}: {error}")
        self._file.close()

    def say(self, line: str) -> None:
        self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        self._file.flush()

    def bar(self, title: str) -> AbstractContextManager[Advance | None]:
        return nullcontext()

    @contextmanager
    def stages(self, titles: Sequence[str], epochs: int) -> Iterator[Sequence[Listener]]:
        yield [self for _ in titles]

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise CellTimeout(f"took longer than the timeout of {self._timeout:g} s")

    def on_epoch(self, record: Record) -> None:
        shown = ", ".join(f"{key} {value:.4g}" for key, value in record.items() if isinstance(value, float))
        self.say(f"epoch {record['epoch']}: {shown}")
