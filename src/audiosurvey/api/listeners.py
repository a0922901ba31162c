"""From `progress=...` to what follows a call: bars, trainings, surveys."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from audiosurvey.api.progress import LOG, Progress, ShowProgress, say
from audiosurvey.reporting.console import progress_bar
from audiosurvey.reporting.listener import TerminalListener
from audiosurvey.runs.listener import Advance, OpenBar, no_bar
from audiosurvey.runs.train import TrainListener
from audiosurvey.training.listener import Listener, Record

Tell = Callable[[Progress], object]


def bar_of(show: ShowProgress) -> OpenBar:
    """Opens a bar for a single task."""
    if show is True:
        return progress_bar
    return no_bar if show is False else CallingBar(show)


def listener_of(show: ShowProgress) -> TrainListener:
    """Follows a training: logs what it says, draws its pictures, and shows its progress."""
    # A forecast takes some trial steps: it is made where somebody reads it.
    forecasts = LOG.isEnabledFor(logging.INFO)
    if isinstance(show, bool):
        return TerminalListener(say=say, quiet=not show, forecasts=forecasts)
    return CallingListener(show, forecasts=forecasts)


@dataclass(frozen=True)
class CallingBar:
    """Tells a function of the progress of single tasks."""

    tell: Tell

    def __call__(self, title: str) -> AbstractContextManager[Advance | None]:
        return self._opened(title)

    @contextmanager
    def _opened(self, title: str) -> Iterator[Advance]:
        def advance(done: float, total: float | None) -> None:
            self.tell(Progress(title, done, total))

        yield advance


class CallingListener(TerminalListener):
    """Tells a function of the progress of a training."""

    def __init__(self, tell: Tell, *, forecasts: bool) -> None:
        super().__init__(say=say, forecasts=forecasts)
        self._tell = tell

    def bar(self, title: str) -> AbstractContextManager[Advance | None]:
        return CallingBar(self._tell)(title)

    @contextmanager
    def stages(self, titles: Sequence[str], epochs: int) -> Iterator[Sequence[Listener]]:
        yield [_CallingStage(self._tell, title, epochs) for title in titles]


@dataclass(frozen=True)
class _CallingStage:
    tell: Tell
    title: str
    epochs: int

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        self.tell(Progress(self.title, step / max(1, steps_per_epoch), self.epochs or None))

    def on_epoch(self, record: Record) -> None:
        self.tell(Progress(self.title, record["epoch"], self.epochs or None, dict(record)))
