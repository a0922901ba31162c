"""From `progress=...` to the bar of a single task."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from audiosurvey.api.progress import Progress, ShowProgress
from audiosurvey.reporting.console import progress_bar
from audiosurvey.runs.listener import Advance, OpenBar, no_bar

Tell = Callable[[Progress], object]


def bar_of(show: ShowProgress) -> OpenBar:
    """Opens a bar for a single task."""
    if show is True:
        return progress_bar
    return no_bar if show is False else CallingBar(show)


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
