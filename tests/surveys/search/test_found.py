"""The files of a search say what became of its trials, and hold the best configs of this search alone."""

import csv
from pathlib import Path

import pytest
from small_survey import MakeSurvey

from audiosurvey.errors import UserError
from audiosurvey.surveys import work
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.survey import SurveyOptions, open_survey

pytest.importorskip("optuna")


def run(make: MakeSurvey, folder: Path, scheme: str, *lines: str) -> None:
    space = "{train.lr: {log: [1e-3, 1e-1]}}"
    search = f"search: {{trials: 2, scheme: {scheme}, space: {space}}}"
    path = make(search, "budget: {epochs: 1}", *lines, configs="configs: [net.yaml]")
    open_survey(path, SurveyOptions(folder)).train(SurveyListener())


def test_the_trials_are_listed_though_none_succeeded(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    def run_job(*job):
        raise ValueError("no")

    monkeypatch.setattr(work, "run_job", run_job)
    with pytest.raises(UserError, match=r"no trial succeeded; correct what failed, and run .* with retry_failed=True"):
        run(make_survey, tmp_path / "s", "single")
    with (tmp_path / "s" / "search" / "trials.csv").open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["fail", "fail"]


def test_best_configs_of_another_scheme_are_removed(make_survey: MakeSurvey, tmp_path: Path):
    for scheme, folds, names in (
        ("nested", "[1, 2]", ["best-fold-1.yaml", "best-fold-2.yaml"]),
        ("nested", "[1]", ["best-fold-1.yaml"]),
        ("single", "[1]", ["best.yaml"]),
    ):
        run(make_survey, tmp_path / "s", scheme, f"folds: {folds}")
        assert sorted(path.name for path in (tmp_path / "s" / "search").glob("best*")) == names
