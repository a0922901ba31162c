"""Cells one after the other, in this process."""

from collections.abc import Iterator, Sequence

from audiosurvey.survey.cell import Cell
from audiosurvey.survey.executors.executor import Task, spare_collector
from audiosurvey.survey.plan import Opener
from audiosurvey.survey.work import Outcome


class InlineExecutor:
    """Trains cells in this process; `opener` has the data open already."""

    slots = 1
    whole_device = True

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Cell, Outcome]]:
        spare_collector()
        for task in tasks:
            yield task.cell, task.run(self._opener)

    def close(self) -> None:
        """There is nothing to end."""

    def alone(self) -> "InlineExecutor":
        return self
