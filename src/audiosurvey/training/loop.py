"""The training loop: epochs of steps, a look at the held-out clips, a checkpoint, until the stage is done."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from audiosurvey.data.batches.batches import Batch, TrainBatches
from audiosurvey.model.blocks.drop import set_progress
from audiosurvey.tensorfile import load_tensors, save_tensors
from audiosurvey.training.averaging import Average, EvenAverage
from audiosurvey.training.checkpoint import Journal, anew, load_state, save_state
from audiosurvey.training.schedule import ScheduleConfig, cycled_momentum, rate_factor
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.step import TrainStep, average_statistics

Record = dict[str, Any]
"""One line of metrics.jsonl."""


@dataclass(frozen=True)
class Look:
    """What evaluation saw after an epoch."""

    metrics: Record
    score: tuple[float, ...] | None = None
    """What the choice of the epoch goes by, greater is better; None where nothing is chosen."""


class Watch(Protocol):
    """Evaluates a network after an epoch; `last` is true when training ends with it."""

    def __call__(self, network: nn.Module, epoch: int, last: bool) -> Look: ...


class Listener(Protocol):
    """Is told how a stage goes on."""

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None: ...

    def on_epoch(self, record: Record) -> None: ...


class Fit:
    """Trains one network to its end; resumes at the last finished epoch where asked to."""

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
        watch: Watch,
        folder: Path | None,
        listener: Listener,
        begin: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        """`folder` keeps `state.safetensors` and, where an epoch is chosen, `best.safetensors`; None keeps nothing.

        `begin` makes the network ready for an epoch, the first after a resume too.
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
        self.watch = watch
        self.folder = folder
        self.listener = listener
        self.begin = begin
        self.journal = Journal()
        self._best: dict[str, Any] | None = None

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.batches) / self.settings.accum_iter)

    @property
    def total_steps(self) -> int:
        """All steps of the stage; 0 where only patience ends it."""
        return (self.settings.epochs or 0) * self.steps_per_epoch

    @property
    def _progress(self) -> float:
        """How far training has come with the step that is about to be taken; 1 where its end is not known."""
        return min(1.0, self.journal.step / (self.total_steps - 1)) if self.total_steps > 1 else 1.0

    @property
    def evaluated(self) -> nn.Module:
        """The network that is looked at and kept: the average where there is one."""
        return self.average.network if self.average else self.network

    def run(self, resume: bool = False) -> nn.Module:
        """Returns the chosen network: the last weights, or those of the best epoch."""
        if resume and self.folder and (self.folder / "state.safetensors").exists():
            self._restore(self.folder / "state.safetensors")
        while not self.journal.done:
            self._epoch()
        return self._chosen()

    def _epoch(self) -> None:
        started = time.perf_counter()
        journal, epoch = self.journal, self.journal.epoch + 1
        self.begin(epoch)
        self.network.train()
        loss = clips = 0.0
        correct: float | None = 0.0
        lr = self.settings.lr
        for group in _groups(self.batches.epoch(epoch), self.settings.accum_iter):
            lr = self.settings.lr * rate_factor(self.schedule, journal.step, self.total_steps)
            set_progress(self.network, self._progress)
            momentum = cycled_momentum(self.schedule, self.momentum, journal.step, self.total_steps)
            seen = self.step(group, epoch=epoch, step=journal.step, lr=lr, momentum=momentum)
            if self.average:
                self.average.update(self.network, journal.step)
            journal.step += 1
            loss += seen.loss * seen.clips
            correct = None if correct is None or seen.accuracy is None else correct + seen.accuracy * seen.clips
            clips += seen.clips
            self.listener.on_step(epoch, journal.step, self.steps_per_epoch, seen.loss)
        record: Record = {
            "epoch": epoch,
            "step": journal.step,
            "lr": lr,
            "train_loss": loss / clips,
        }
        if correct is not None:
            record["train_accuracy"] = correct / clips
        if self.average and self.average.counts_anew(journal.step - 1):
            self.step.count_statistics(self.average.network, self.network, self.batches.epoch(epoch), epoch)
        average_statistics(self.step.accelerator, self.network, *([self.average.network] if self.average else []))
        journal.epoch = epoch
        last = self._full()
        look = self.watch(self.evaluated, epoch, last)
        self._judge(look, epoch)
        journal.done = last or self._out_of_patience()
        if journal.done and not last:
            # Only now is it known that this epoch was the last one: look at what is looked at in the end alone.
            look = Look(look.metrics | self.watch(self.evaluated, epoch, True).metrics, look.score)
        record |= look.metrics | {"seconds": round(time.perf_counter() - started, 3)}
        journal.history.append(record)
        self._save()
        self.listener.on_epoch(record)

    def _full(self) -> bool:
        return bool(self.settings.epochs) and self.journal.epoch >= (self.settings.epochs or 0)

    def _judge(self, look: Look, epoch: int) -> None:
        if look.score is None:
            return
        if self.journal.best is None or list(look.score) > self.journal.best:
            self.journal.best, self.journal.best_epoch = list(look.score), epoch
            self._best = {name: value.detach().cpu().clone() for name, value in self.evaluated.state_dict().items()}
            if self._writes:
                save_tensors(self._best_path(), self._best)

    def _out_of_patience(self) -> bool:
        patience = self.settings.patience
        if not patience or self.journal.best is None:
            return False
        return self.journal.epoch - self.journal.best_epoch >= patience

    @property
    def _writes(self) -> bool:
        return self.folder is not None and self.step.accelerator.is_main_process

    def _best_path(self) -> Path:
        assert self.folder is not None
        return self.folder / f"best-{self.journal.best_epoch:05d}.safetensors"

    def _save(self) -> None:
        if not self._writes or self.folder is None:
            return
        scaler = self.step.accelerator.scaler
        average = self.average.network if self.average else None
        state = scaler.state_dict() if scaler is not None else None
        save_state(self.folder / "state.safetensors", self.journal, self.network, average, self.step.optimizer, state)
        # A former best goes only now: until here, a kill would have resumed from a state that names it.
        for path in self.folder.glob("best-*.safetensors"):
            if path != self._best_path():
                path.unlink()

    def _restore(self, path: Path) -> None:
        average = self.average.network if self.average else None
        self.journal, scaler = load_state(path, self.network, average, self.step.optimizer)
        if self.step.accelerator.scaler is not None and scaler:
            self.step.accelerator.scaler.load_state_dict(scaler)
        if self.journal.best is not None:
            self._best = load_tensors(self._best_path(), anew(path))[0]

    def _chosen(self) -> nn.Module:
        network = self.evaluated
        if self._best is not None:
            network.load_state_dict(self._best)
        return network.eval()


def _groups(batches: Iterator[Batch], size: int) -> Iterator[Sequence[Batch]]:
    while group := list(islice(batches, size)):
        yield group
