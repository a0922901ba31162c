"""The tables of a survey on a terminal of 80 columns."""

import io

from rich.console import Console, RenderableType

from audiosurvey.surveys.cell import PlannedCell
from audiosurvey.surveys.dry_run import RowForecast, SurveyForecast
from audiosurvey.surveys.status import RowStatus, RunningCell, SurveyStatus
from audiosurvey.surveys.table import forecast_table, status_table, summary_line

NAMES = ["tiny_lr=0.01", "tiny_lr=0.001-wd=0.0001-seed=123", "survey/efficientat_mn04_as-lr=1e-05-wd=0.0001"]


def printed(table: RenderableType) -> list[str]:
    console = Console(file=(file := io.StringIO()), width=80)
    console.print(table)
    return file.getvalue().splitlines()


def test_the_plan_keeps_names_whole():
    rows = [RowForecast(name, 10, 10, 123_456, 12_345_678, 200, 754.0, 30_000_000) for name in NAMES]
    lines = printed(forecast_table(SurveyForecast(rows, 1, 10**9, 10**8)))
    first = [line.split()[0] for line in lines if line.strip()]
    assert NAMES[:2] == [word for word in first if word in NAMES]
    assert {"survey/efficientat_mn04_as-", "lr=1e-05-wd=0.0001"} <= set(first)
    assert any("12 min" in line for line in lines) or any("13 min" in line for line in lines)


def test_more_jobs_are_proposed_where_they_help():
    def advice(seconds: float, pending: int, slots: int, most: int) -> str:
        rows = [RowForecast("net", pending, pending, 1, 1, 2, seconds, 1)]
        lines = printed(forecast_table(SurveyForecast(rows, slots, 10**9, 10**8, most)))
        return next((line for line in lines if "--jobs" in line), "")

    # 30 cells of 10 s: 300 s one after the other; in halves 150 s, after 10 s to begin.
    assert advice(10, 30, 1, 2) == "with --jobs 2: about 2.7 min"
    assert advice(10, 4, 1, 8) == "with --jobs 4: about 20 s"
    assert advice(10, 30, 2, 4) == "with --jobs 4: about 85 s"
    # No further core, as many jobs already, one cell, nothing to train, too short.
    for one in ((10, 30, 1, 1), (10, 30, 2, 2), (99, 1, 1, 2), (10, 0, 1, 2), (1, 30, 1, 2)):
        assert advice(*one) == ""


def test_the_status_keeps_names_whole_and_leaves_out_what_is_empty():
    rows = [RowStatus(name, 10, 3, 0, 0, 0.8125, 12.0) for name in NAMES[:2]]
    lines = printed(status_table(SurveyStatus(rows, [], [], None)))
    assert set(NAMES[:2]) == {line.split()[0] for line in lines if line.startswith("tiny")}
    assert any("0.8125 so far" in line for line in lines)
    assert not any("failed" in line or "running" in line for line in lines)


def row(name: str, done: int, score: float | None) -> RowStatus:
    return RowStatus(name, 5, done, 0, 0, score, 2.0 if done else None)


def test_rows_that_are_complete_come_first(capsys):
    rows = [row("two-folds", 2, 0.9), row("none", 0, None), row("worse", 5, 0.5), row("better", 5, 0.6)]
    Console(width=100).print(status_table(SurveyStatus(rows, [], [], None)))
    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines() if " of 5 " in line]
    assert shown == ["better", "worse", "two-folds", "none"]


def test_rows_of_one_data_set_stand_together(capsys):
    rows = [row("a@two", 5, 0.9), row("a@one", 5, 0.6), row("b@two", 5, 0.5), row("b@one", 5, 0.7)]
    Console(width=100).print(status_table(SurveyStatus(rows, [], [], None)))
    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines() if " of 5 " in line]
    assert shown == ["b@one", "a@one", "a@two", "b@two"]


def test_the_time_that_is_left():
    running = [RunningCell(PlannedCell("a", "b", "net", 0, 1, 2), "host", 1, 0)]
    line = "2 of 5 cells done"
    assert summary_line(SurveyStatus([row("net", 2, 0.5)], [], [], None)) == line
    assert summary_line(SurveyStatus([row("net", 2, 0.5)], [], [], 6.0)) == f"{line}; about 6 s left in one process"
    assert summary_line(SurveyStatus([row("net", 2, 0.5)], running, [], 6.0)) == f"{line}, 1 running; about 6 s left"
