"""The interface of executors, and what all of them need."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from audiosurvey.surveys.cell import Cell
from audiosurvey.surveys.folder import SurveyFolder
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.work import Keeping, Outcome, train_cell


@dataclass(frozen=True)
class Task:
    """The training of a cell, as plain data."""

    survey: Path
    cell: Cell
    keeping: Keeping

    def run(self, opener: Opener) -> Outcome:
        return train_cell(self.cell, SurveyFolder(self.survey), self.keeping, opener)


def spare_collector() -> None:
    """Excludes what is loaded now from garbage collection. Each cell ends with a collection, which would look through
    everything that was imported: a third of a second."""
    gc.collect()
    gc.freeze()


class Executor(Protocol):
    """Trains cells."""

    slots: int
    """Cells that are trained at the same time."""
    whole_device: bool
    """Whether each cell has a GPU of its own."""

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Cell, Outcome]]:
        """Trains all of them, and yields each as it ends. Closing the iterator ends the trainings."""
        ...

    def close(self) -> None:
        """Ends its processes, which are kept from one call of `run` to the next."""
        ...

    def alone(self) -> "Executor":
        """An executor that trains one cell at a time, with the whole device."""
        ...
