"""From `progress=...` to what follows a training."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from audiosurvey.api.bars import CallingBar, Tell
from audiosurvey.api.progress import LOG, Progress, ShowProgress, say
from audiosurvey.reporting.listener import TerminalListener
from audiosurvey.runs.listener import Advance
from audiosurvey.runs.train import TrainListener
from audiosurvey.training.listener import Listener, Record


def listener_of(show: ShowProgress) -> TrainListener:
    """Follows a training: logs what it says, draws its pictures, and shows its progress."""
    # A forecast takes some trial steps: it is made where somebody reads it.
    forecasts = LOG.isEnabledFor(logging.INFO)
    if isinstance(show, bool):
        return TerminalListener(say=say, quiet=not show, forecasts=forecasts)
    return CallingListener(show, forecasts=forecasts)


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
