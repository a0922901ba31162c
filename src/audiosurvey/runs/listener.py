"""The listener of a run, which a command passes in to show progress and draw pictures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np

from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.training.listener import Listener, Record

Advance = Callable[[int, int | None], None]
"""Called with how much is done, and of how much (None: not known)."""
OpenBar = Callable[[str], AbstractContextManager[Advance | None]]
"""Shows the progress of something that has this title while the block runs."""
DrawBatch = Callable[[np.ndarray, Sequence[str]], np.ndarray]
"""A picture (H, W, 3) of spectrograms (B, C, T, F) with these titles."""


def no_bar(title: str) -> AbstractContextManager[None]:
    return nullcontext()


class RunListener:
    """Listens to a run. This one stays silent; subclasses override what they are interested in."""

    draw_batch: DrawBatch | None = None
    """Draws the first augmented batch for the trackers. Folds side by side call it in their own processes, so it must
    be a function of a module."""

    def say(self, line: str) -> None:
        """One line about what the run is going to do."""

    def bar(self, title: str) -> AbstractContextManager[Advance | None]:
        """Progress of a single task, such as preparing data."""
        return nullcontext()

    @contextmanager
    def stages(self, titles: Sequence[str], epochs: int) -> Iterator[Sequence[Listener]]:
        """A listener for each of the trainings that run at the same time; `epochs` 0: their number is not known."""
        yield [_Silent() for _ in titles]

    def recorded(self, run: RunFolder, results: RunResults) -> None:
        """A fold has ended, or all had ended before; `results` are on disk."""


class _Silent:
    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None: ...

    def on_epoch(self, record: Record) -> None: ...
