"""Cells side by side: the same to the last digit as one after the other, whoever is killed on the way."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import DyingTask, workers_killed
from small_survey import MakeSurvey, results_of

from audiosurvey.surveys import session
from audiosurvey.surveys.executors.processes import ProcessExecutor
from audiosurvey.surveys.survey import SurveyOptions, open_survey


def test_side_by_side_is_one_after_the_other(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey()
    open_survey(path, SurveyOptions(tmp_path / "inline")).train(session.SurveyListener())
    status = open_survey(path, SurveyOptions(tmp_path / "two", jobs=2)).train(session.SurveyListener())
    assert status.complete
    assert results_of(tmp_path / "two") == results_of(tmp_path / "inline")
    logs = [path.read_text() for path in (tmp_path / "two").glob("cells/*/log.txt")]
    assert len(logs) == 6
    assert all("epoch 2: " in log and log.endswith(" done\n") for log in logs)


@pytest.mark.slow
def test_killed_workers_are_replaced(make_survey: MakeSurvey, tmp_path: Path):
    """Every worker is killed once in a while; epochs that have ended are not trained again."""
    path = make_survey("budget: {epochs: 400}", "folds: [1, 2]")
    opened = open_survey(path, SurveyOptions(tmp_path / "s", jobs=2))
    with workers_killed(tmp_path / "s", every=2.5) as killed:
        status = opened.train(session.SurveyListener())
    assert killed
    assert status.complete
    open_survey(path, SurveyOptions(tmp_path / "calm")).train(session.SurveyListener())
    assert results_of(tmp_path / "s") == results_of(tmp_path / "calm")


@pytest.mark.slow
def test_a_cell_whose_process_always_dies_fails(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    """A stub kills its process, as the system does when memory is short; the other cells are done."""
    path = make_survey("folds: [1, 2]", configs="configs: [net.yaml]")
    opened = open_survey(path, SurveyOptions(tmp_path / "s", jobs=2))
    monkeypatch.setattr(session, "Task", DyingTask)
    status = opened.train(session.SurveyListener())
    assert (status.done, len(status.failed)) == (1, 1)
    assert status.failed[0].kind == "killed"
    assert status.failed[0].message.startswith("its process was killed 5 times without finishing epoch 1; memory")


@pytest.mark.slow
def test_the_driver_is_killed_and_started_again(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("budget: {epochs: 100}")
    command = [sys.executable, "-m", "audiosurvey", "survey", str(path), "--run-dir", "s", "--jobs", "2"]
    driver = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + 300
    while len(list(tmp_path.glob("s/cells/*/result.json"))) < 2 and time.monotonic() < ends:
        time.sleep(0.05)
    driver.kill()
    driver.communicate()
    before = {path: path.stat().st_mtime for path in tmp_path.glob("s/cells/*/result.json")}
    status = open_survey(path, SurveyOptions(tmp_path / "s", jobs=2)).train(session.SurveyListener())
    assert status.complete
    # No cell that was done is trained again.
    assert before == {path: path.stat().st_mtime for path in before}
    open_survey(path, SurveyOptions(tmp_path / "calm")).train(session.SurveyListener())
    assert results_of(tmp_path / "s") == results_of(tmp_path / "calm")


def test_one_at_a_time_for_cells_that_ran_out_of_memory():
    assert (ProcessExecutor(4).slots, ProcessExecutor(4).alone().slots) == (4, 1)
