"""The listener of a survey."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from audiosurvey.surveys.cell import Cell

if TYPE_CHECKING:
    from audiosurvey.surveys.work import Outcome


class SurveyListener:
    """Follows a survey. This one stays silent."""

    def shown(self) -> AbstractContextManager[None]:
        """Shows how the survey stands during the block."""
        return nullcontext()

    def say(self, line: str) -> None:
        """One line about what happens."""

    def ended(self, cell: Cell, outcome: "Outcome") -> None:
        """A cell is done or has failed."""

    def waiting(self, cells: Sequence[Cell]) -> None:
        """All cells that are left are trained by other processes."""
