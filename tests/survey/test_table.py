"""The status on the terminal."""

from rich.console import Console

from audiosurvey.survey.cell import PlannedCell
from audiosurvey.survey.status import RowStatus, RunningCell, SurveyStatus
from audiosurvey.survey.table import status_table, summary_line


def row(name: str, done: int, score: float | None) -> RowStatus:
    return RowStatus(name, 5, done, 0, 0, score, 2.0 if done else None)


def test_rows_that_are_complete_come_first(capsys):
    rows = [row("two-folds", 2, 0.9), row("none", 0, None), row("worse", 5, 0.5), row("better", 5, 0.6)]
    Console(width=100).print(status_table(SurveyStatus(rows, [], [], None)))
    shown = [line.split()[1] for line in capsys.readouterr().out.splitlines() if " of 5 " in line]
    assert shown == ["better", "worse", "two-folds", "none"]


def test_the_time_that_is_left():
    running = [RunningCell(PlannedCell("a", "b", "net", 0, 1, 2), "host", 1, 0)]
    line = "2 of 5 cells done"
    assert summary_line(SurveyStatus([row("net", 2, 0.5)], [], [], None)) == line
    assert summary_line(SurveyStatus([row("net", 2, 0.5)], [], [], 6.0)) == f"{line}; about 6 s left in one process"
    assert summary_line(SurveyStatus([row("net", 2, 0.5)], running, [], 6.0)) == f"{line}, 1 running; about 6 s left"
