"""What follows a survey: the live table, calls of a function, or the log alone."""

from collections.abc import Callable

from audiosurvey.api.progress import Progress, ShowProgress, say
from audiosurvey.reporting.console import STDERR
from audiosurvey.surveys.cell import Cell
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.status import StatusReader
from audiosurvey.surveys.table import LiveTable
from audiosurvey.surveys.work import Outcome


def listener_of(show: ShowProgress, reader: StatusReader) -> SurveyListener:
    """`reader`: of the survey that is followed."""
    if show is True:
        return LiveTable(reader, STDERR, say)
    return LoggingListener() if show is False else CallingListener(show, reader)


class LoggingListener(SurveyListener):
    """Logs what a survey says."""

    def say(self, line: str) -> None:
        say(line)


class CallingListener(LoggingListener):
    """Also tells a function of the cells that have ended."""

    def __init__(self, tell: Callable[[Progress], object], reader: StatusReader) -> None:
        self._tell, self._reader = tell, reader

    def ended(self, cell: Cell, outcome: Outcome) -> None:
        status = self._reader.read()
        self._tell(Progress(cell.title, status.done, status.cells, {"outcome": outcome}))
