"""Trials that fail are named, and are tried again if that is asked for."""

import json
from pathlib import Path

import pytest
from small_search import Ended, KillAfter, Killed, ThreeSlots, failing, run, survey, trials_of
from small_survey import MakeSurvey, results_of

from audiosurvey.errors import UserError
from audiosurvey.runs.listener import no_bar
from audiosurvey.surveys import work
from audiosurvey.surveys.search.recipes import TrialRecipes
from audiosurvey.surveys.survey import OpenSurvey, SurveyOptions, open_survey

pytest.importorskip("optuna")


def test_trials_that_ran_out_of_memory_are_tried_alone(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    """Once, after all others."""
    true_run, ran, path = work.run_job, list[str](), survey(make_survey, "single", trials=4)
    small = {1: 1, 2: 9}

    def run_job(job, *others):
        name = job.run.path.name
        ran.append(name)
        number = list(dict.fromkeys(ran)).index(name)
        if job.trial and ran.count(name) <= small.get(number, 0):
            raise MemoryError
        return true_run(job, *others)

    monkeypatch.setattr(work, "run_job", run_job)
    monkeypatch.setattr(OpenSurvey, "_executor", lambda self: ThreeSlots(self.opener))
    for _ in range(2):
        status = run(path, tmp_path / "s")
        assert [row["state"] for row in trials_of(tmp_path / "s")] == ["complete", "complete", "fail", "complete"]
        assert [one.kind for one in status.failed] == ["memory"]
        trials = [name for name in ran if (tmp_path / "s" / "cells" / name / "alone").exists()]
        assert [ran.index(name) for name in trials] == [1, 2, 1, 2]


def test_failed_trials_are_named(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    true_run, ran = work.run_job, []

    def run_job(job, *others):
        ran.append(job.trial)
        if job.trial and len(ran) == 2:
            raise ValueError("no")
        return true_run(job, *others)

    monkeypatch.setattr(work, "run_job", run_job)
    status = run(survey(make_survey, "single", trials=3), tmp_path / "s")
    assert [(one.cell.title, one.message) for one in status.failed] == [("trial 1, seed 0, fold 1", "ValueError: no")]
    assert [row["state"] for row in trials_of(tmp_path / "s")] == ["complete", "fail", "complete"]
    assert ran == [True] * 3 + [False] * 6


def test_failed_trials_are_tried_again_if_asked_for(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    """The score of a trial that failed first counts like any other, also if the call that tries it again is killed."""
    path = survey(make_survey, "single", trials=4)
    with monkeypatch.context() as patch:
        ran = failing(patch, 1, 2)
        run(path, tmp_path / "s")
        # Nothing is tried again unless that is asked for.
        assert len(run(path, tmp_path / "s").failed) == 2
    assert sum(ran) == 4
    assert [row["state"] for row in trials_of(tmp_path / "s")] == ["complete", "fail", "fail", "complete"]
    before = trials_of(tmp_path / "s")
    with monkeypatch.context() as patch:
        ran = failing(patch)
        with pytest.raises(Killed):
            run(path, tmp_path / "s", KillAfter(1), retry_failed=True)
        status = run(path, tmp_path / "s")
    assert sum(ran) == 2
    assert status.complete
    assert not status.failed
    after = trials_of(tmp_path / "s")
    assert [row["state"] for row in after] == ["complete"] * 4
    assert [row["train.lr"] for row in after] == [row["train.lr"] for row in before]
    # The best one of all is trained on the official folds.
    best = max(after, key=lambda row: (float(row["score"]), -int(row["trial"])))
    config = json.loads((tmp_path / "s" / "runs" / "net-searched-seed0" / "results.json").read_text())["config"]
    assert config["train"]["lr"] == json.loads(best["train.lr"])


def test_a_failure_that_was_mended_leaves_no_trace(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    """A search that stopped at a failure asks for the same trials afterwards as one that never failed."""
    path = survey(make_survey, "single", trials=7)
    run(path, tmp_path / "whole")
    path.write_text(path.read_text() + "max_failures: 1\n")
    with monkeypatch.context() as patch:
        failing(patch, 2)
        with pytest.raises(UserError, match=r"\(max_failures\); .* run the survey again with retry_failed=True$"):
            run(path, tmp_path / "s")
    run(path, tmp_path / "s", retry_failed=True)
    assert trials_of(tmp_path / "s") == trials_of(tmp_path / "whole")
    assert results_of(tmp_path / "s") == results_of(tmp_path / "whole")


def test_a_trial_fails_if_one_of_its_splits_does(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    """Its other splits are trained, and not again."""
    path = survey(make_survey, "pooled", trials=2)
    with monkeypatch.context() as patch:
        ran = failing(patch, 1)
        run(path, tmp_path / "s")
    assert [row["state"] for row in trials_of(tmp_path / "s")] == ["fail", "complete"]
    assert sum(ran) == 6
    ended = Ended()
    run(path, tmp_path / "s", ended, retry_failed=True)
    assert [cell.title for cell in ended.cells if cell.trial] == ["trial 0, seed 0, fold 2"]
    assert [row["state"] for row in trials_of(tmp_path / "s")] == ["complete", "complete"]


def test_values_that_do_not_fit_together_stay_failed(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    true_cells = TrialRecipes.cells

    def cells(self, fold, trial):
        if trial.number == 1:
            raise UserError("the kernel is larger than its map")
        return true_cells(self, fold, trial)

    monkeypatch.setattr(TrialRecipes, "cells", cells)
    path = survey(make_survey, "single", trials=3)
    for retry in (False, True):
        status = run(path, tmp_path / "s", retry_failed=retry)
        assert [row["state"] for row in trials_of(tmp_path / "s")] == ["complete", "fail", "complete"]
        assert (status.complete, status.rows[-1].cells) == (True, 2)


def test_the_forecast_counts_what_will_be_tried(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    path = survey(make_survey, "single", trials=3)
    with monkeypatch.context() as patch:
        failing(patch, 1)
        run(path, tmp_path / "s")

    def pending(**options) -> list[int]:
        opened = open_survey(path, SurveyOptions(tmp_path / "s", **options))
        return [row.pending for row in opened.forecast(no_bar).rows]

    assert pending() == [0, 0, 0]
    # With another score, another trial may be the best.
    assert pending(retry_failed=True) == [0, 1, 3]


def test_too_many_failed_trials_stop_the_search(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    def run_job(*job):
        raise ValueError("no")

    monkeypatch.setattr(work, "run_job", run_job)
    path = survey(make_survey, "single", trials=5)
    path.write_text(path.read_text() + "max_failures: 2\n")
    with pytest.raises(UserError, match=r"^search: stopped after 2 failed cells of trials \(max_failures\)"):
        run(path, tmp_path / "s")
    assert len(list((tmp_path / "s").glob("cells/*/failure.json"))) == 2
