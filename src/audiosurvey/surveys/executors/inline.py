"""Cells one after the other, in this process."""

import gc
from collections.abc import Iterator, Sequence

from audiosurvey.surveys.cell import Cell
from audiosurvey.surveys.executors.executor import Task, spare_collector
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.work import Outcome


class InlineExecutor:
    """Trains cells in this process; `opener` has the data open already."""

    slots = 1
    whole_device = True

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        spare_collector()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Cell, Outcome]]:
        for task in tasks:
            yield task.cell, task.run(self._opener)

    def close(self) -> None:
        gc.unfreeze()

    def alone(self) -> "InlineExecutor":
        return self
