"""Cells on Ray: the same to the last digit, whatever dies."""

import os
import signal
import threading
from pathlib import Path

import pytest
from small_survey import MakeSurvey, results_of

from audiosurvey import pipeline
from audiosurvey.errors import UserError
from audiosurvey.survey.survey import SurveyOptions

pytest.importorskip("ray")


@pytest.mark.slow
def test_ray_is_one_after_the_other(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey()
    pipeline.open_survey(path, SurveyOptions(tmp_path / "inline")).train()
    status = pipeline.open_survey(path, SurveyOptions(tmp_path / "ray", ray="local", jobs=2)).train()
    assert status.complete
    assert results_of(tmp_path / "ray") == results_of(tmp_path / "inline")


@pytest.mark.slow
def test_killed_workers_are_replaced(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("budget: {epochs: 300}", "folds: [1, 2]")
    opened = pipeline.open_survey(path, SurveyOptions(tmp_path / "s", ray="local", jobs=2))
    stop = threading.Event()
    killed: dict[int, int] = {}

    def kill() -> None:
        while not stop.wait(3):
            for one in pipeline.survey_status(tmp_path / "s").running[:1]:
                if len(killed) < 4 and one.epoch > max(killed.values(), default=0):
                    os.kill(one.pid, signal.SIGKILL)
                    killed[one.pid] = one.epoch

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        status = opened.train()
    finally:
        stop.set()
        thread.join()
    assert killed
    assert status.complete
    pipeline.open_survey(path, SurveyOptions(tmp_path / "calm")).train()
    assert results_of(tmp_path / "s") == results_of(tmp_path / "calm")


def test_no_cluster_is_one_line(make_survey: MakeSurvey, tmp_path: Path):
    opened = pipeline.open_survey(make_survey(), SurveyOptions(tmp_path / "s", ray="nowhere"))
    with pytest.raises(UserError, match=r"^--ray nowhere: no cluster there \(.*\); start one with 'ray start --head'$"):
        opened.train()
