"""Cells on Ray: the same to the last digit, whatever dies."""

from pathlib import Path

import pytest
from killing import local_node_killed, workers_killed
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
    with workers_killed(tmp_path / "s", every=3) as killed:
        status = opened.train()
    assert killed
    assert status.complete
    pipeline.open_survey(path, SurveyOptions(tmp_path / "calm")).train()
    assert results_of(tmp_path / "s") == results_of(tmp_path / "calm")


@pytest.mark.slow
def test_a_local_ray_that_ends_is_started_again(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("budget: {epochs: 100}", "folds: [1, 2]")
    opened = pipeline.open_survey(path, SurveyOptions(tmp_path / "s", ray="local", jobs=2))
    with local_node_killed(tmp_path / "s") as killed:
        status = opened.train()
    assert len(killed) == 1
    assert status.complete
    pipeline.open_survey(path, SurveyOptions(tmp_path / "calm")).train()
    assert results_of(tmp_path / "s") == results_of(tmp_path / "calm")


def test_no_cluster_is_one_line(make_survey: MakeSurvey, tmp_path: Path):
    opened = pipeline.open_survey(make_survey(), SurveyOptions(tmp_path / "s", ray="nowhere"))
    with pytest.raises(UserError, match=r"^ray='nowhere': no cluster there \(.*\); start one with 'ray start --head'$"):
        opened.train()
