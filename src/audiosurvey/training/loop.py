"""The training loop: epochs of steps, an evaluation, a checkpoint, until the stage is done."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from audiosurvey.data.batches.batches import Batch, TrainBatches
from audiosurvey.model.blocks.drop import set_progress
from audiosurvey.tensorfile import load_tensors, save_tensors
from audiosurvey.training.averaging import Average, EvenAverage
from audiosurvey.training.checkpoint import (
    EpochTotals,
    TrainingState,
    anew,
    load_state,
    save_state,
)
from audiosurvey.training.listener import Listener, Record
from audiosurvey.training.schedule import ScheduleConfig, cycled_momentum, rate_factor
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.step import StepResult, TrainStep, average_statistics, read_results

READ_EVERY = 16
"""Steps after which losses are read from the device and checked to be finite."""


@dataclass(frozen=True)
class Evaluation:
    """The result of the evaluation after an epoch."""

    metrics: Record
    score: tuple[float, ...] | None = None
    """The monitored score, by which the best epoch is chosen, greater is better; None if none is chosen."""


class Evaluator(Protocol):
    """Evaluates the network after an epoch; `last` is true when training ends with it.

    `network()` returns the network to evaluate. For an even average it counts batch-norm statistics first, so it is
    only called if something is evaluated.
    """

    def __call__(self, network: Callable[[], nn.Module], epoch: int, last: bool) -> Evaluation: ...


StopHook = Callable[[Record, TrainingState], bool]
"""Called after each epoch with its record and the state; true ends training. Several processes have to agree."""


@dataclass(frozen=True)
class CheckpointSchedule:
    """When the state is saved, apart from the end of training."""

    epochs: int = 1
    """Number of epochs from one save to the next."""
    steps: int | None = None
    """Also save after this many optimizer steps, even within an epoch."""


def patience_hook(patience: int) -> StopHook:
    """Ends training when the monitored score has not improved for this many epochs."""
    return lambda record, state: state.best is not None and state.epoch - state.best_epoch >= patience


class Trainer:
    """Trains one network to its end; resumes from the last checkpoint if asked to."""

    def __init__(
        self,
        *,
        network: nn.Module,
        step: TrainStep,
        batches: TrainBatches,
        settings: TrainConfig,
        schedule: ScheduleConfig,
        ema_decay: float,
        swa_start: float | None = None,
        evaluator: Evaluator,
        folder: Path | None,
        listener: Listener,
        begin: Callable[[int], None] = lambda epoch: None,
        history: Sequence[Record] = (),
        stop_hooks: Sequence[StopHook] = (),
        checkpoints: CheckpointSchedule = CheckpointSchedule(),
    ) -> None:
        """`folder` keeps `state.safetensors` and, where an epoch is chosen, `best.safetensors`; None keeps nothing.

        `begin` prepares the network for an epoch, also for the first after resuming. `history`: records of epochs
        before an interruption, as in metrics.jsonl. `stop_hooks` are called besides that of `settings.patience`.
        """
        self.network = network
        self.step = step
        self.batches = batches
        self.settings = settings
        self.schedule = schedule
        built = step.optimizer.param_groups[0]
        self.momentum: float = built["betas"][0] if "betas" in built else built["momentum"]
        """As the optimizer was built, before any cycle moved it."""
        self.average = Average(network, ema_decay) if ema_decay > 0 else None
        if swa_start is not None:
            self.average = EvenAverage(network, int(swa_start * self.total_steps))
        self.evaluator = evaluator
        self.folder = folder
        self.listener = listener
        self.begin = begin
        self.history = list[Record]()
        """The records of all finished epochs."""
        self._earlier = history
        self.stop_hooks = [*([patience_hook(settings.patience)] if settings.patience else []), *stop_hooks]
        self.checkpoints = checkpoints
        self.state = TrainingState()
        self._best: dict[str, torch.Tensor] | None = None
        self._pending = list[StepResult]()
        self._loss = math.nan
        self._counted_at: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.batches) / self.settings.accum_iter)

    @property
    def total_steps(self) -> int:
        """All steps of the stage; 0 if only patience ends it."""
        return (self.settings.epochs or 0) * self.steps_per_epoch

    def run(self, resume: bool = False) -> nn.Module:
        """Returns the chosen network: the last weights, or those of the best epoch.

        Raises UserError if a loss or a gradient is not finite; no weights of that step or later ones are saved.
        """
        if resume and self.folder and (self.folder / "state.safetensors").exists():
            self._restore(self.folder / "state.safetensors")
        while not self.state.done:
            self._epoch()
        network = self.average.network if self.average else self.network
        if self._best is not None:
            network.load_state_dict(self._best)
        return network.eval()

    def _epoch(self) -> None:
        started = time.perf_counter()
        state, epoch = self.state, self.state.epoch + 1
        lr = self._train(epoch)
        totals, state.totals = state.totals, EpochTotals()
        record: Record = {"epoch": epoch, "step": state.step, "lr": lr, "train_loss": totals.loss / totals.clips}
        if totals.correct is not None:
            record["train_accuracy"] = totals.correct / (totals.clips - totals.others)
        average_statistics(self.step.accelerator, self.network, *([self.average.network] if self.average else []))
        state.epoch = epoch
        last = bool(self.settings.epochs) and epoch >= (self.settings.epochs or 0)
        evaluation = self.evaluator(self._evaluated, epoch, last)
        self._judge(evaluation, epoch)
        record |= evaluation.metrics
        state.done = any(hook(record, state) for hook in self.stop_hooks) or last
        if state.done:
            if not last:  # only now is it known that this epoch is the last one
                record |= self.evaluator(self._evaluated, epoch, True).metrics
            self._evaluated()
        record["seconds"] = round(time.perf_counter() - started, 3)
        self.history.append(record)
        # Before the checkpoint: lines after its epoch are dropped on resuming, a missing one could not be made again.
        self.listener.on_epoch(record)
        if state.done or epoch % self.checkpoints.epochs == 0:
            self._save()

    def _train(self, epoch: int) -> float:
        """The steps of an epoch that are still to be taken; returns the last learning rate."""
        state, accum = self.state, self.settings.accum_iter
        self.begin(epoch)
        self.network.train()
        lr = self.settings.lr
        for group in _groups(self.batches.epoch(epoch, first=state.totals.steps * accum), accum):
            lr = self.settings.lr * rate_factor(self.schedule, *self._in_schedule())
            set_progress(self.network, min(1.0, state.step / (self.total_steps - 1)) if self.total_steps > 1 else 1.0)
            momentum = cycled_momentum(self.schedule, self.momentum, *self._in_schedule())
            self._pending.append(self.step(group, epoch=epoch, step=state.step, lr=lr, momentum=momentum))
            if self.average:
                self.average.update(self.network, state.step)
            state.step += 1
            state.totals.steps += 1
            saves = self.checkpoints.steps and state.step % self.checkpoints.steps == 0
            if saves or len(self._pending) >= READ_EVERY or math.isnan(self._loss):
                self._read()
            if saves and state.totals.steps < self.steps_per_epoch:
                self._save()
            self.listener.on_step(epoch, state.step, self.steps_per_epoch, self._loss)
        self._read()
        return lr

    def _in_schedule(self) -> tuple[int, int]:
        """The step of the schedule, and how many it has."""
        first = self.state.first_step
        return self.state.step - first, self.total_steps - first if self.total_steps else 0

    def _read(self) -> None:
        """Waits for the pending steps and adds up their losses. Raises UserError if one is not finite."""
        totals = self.state.totals
        for scores in read_results(self._pending):
            self._loss = scores.loss
            totals.loss += scores.loss * scores.clips
            if totals.correct is not None:
                known = scores.clips - scores.others
                totals.correct = None if scores.accuracy is None else totals.correct + scores.accuracy * known
            totals.clips += scores.clips
            totals.others += scores.others
        self._pending.clear()

    def _evaluated(self) -> nn.Module:
        """The network to evaluate and keep: the average if there is one, with batch-norm statistics of its own."""
        if self.average is None:
            return self.network
        network, step = self.average.network, self.state.step
        if self.average.counts_anew(step - 1) and self._counted_at != step:
            self.step.count_statistics(network, self.network, self.batches.epoch(self.state.epoch))
            average_statistics(self.step.accelerator, network)
            self._counted_at = step
        return network

    def _judge(self, evaluation: Evaluation, epoch: int) -> None:
        state = self.state
        if evaluation.score is None or (state.best is not None and list(evaluation.score) <= state.best):
            return
        state.best, state.best_epoch = list(evaluation.score), epoch
        self._best = {
            name: value.detach().to("cpu", copy=True) for name, value in self._evaluated().state_dict().items()
        }
        if self._writes:
            save_tensors(self._best_path(), self._best)

    @property
    def _writes(self) -> bool:
        return self.folder is not None and self.step.accelerator.is_main_process

    def _best_path(self) -> Path:
        assert self.folder is not None
        return self.folder / f"best-{self.state.best_epoch:05d}.safetensors"

    def _save(self) -> None:
        if not self._writes or self.folder is None:
            return
        scaler = self.step.accelerator.scaler
        average = self.average.network if self.average else None
        scale = scaler.state_dict() if scaler is not None else None
        save_state(self.folder / "state.safetensors", self.state, self.network, average, self.step.optimizer, scale)
        # Only now: until here, a run that is killed resumes from a state that names a former best.
        for path in self.folder.glob("best-*.safetensors"):
            if path != self._best_path():
                path.unlink()

    def _restore(self, path: Path) -> None:
        average = self.average.network if self.average else None
        self.state, scaler = load_state(path, self.network, average, self.step.optimizer)
        self.history = [record for record in self._earlier if record["epoch"] <= self.state.epoch]
        if self.step.accelerator.scaler is not None and scaler:
            self.step.accelerator.scaler.load_state_dict(scaler)
        if self.state.best is not None:
            self._best = load_tensors(self._best_path(), anew(path))[0]


def _groups(batches: Iterator[Batch], size: int) -> Iterator[Sequence[Batch]]:
    while group := list(islice(batches, size)):
        yield group
