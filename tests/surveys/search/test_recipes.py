"""The configs of trials: located faults, one seed, and what was tuned says so."""

import json
from pathlib import Path

import pytest
from small_search import Ended, cells_of, run, survey, trials_of
from small_survey import MakeSurvey

from audiosurvey.errors import UserError
from audiosurvey.surveys.survey import SurveyOptions, open_survey

pytest.importorskip("optuna")


@pytest.mark.parametrize(
    ("scheme", "tuned_on", "number"), [("nested", [], 9), ("single", [2], 3), ("pooled", [1, 2, 3], 9)]
)
def test_what_was_tuned_says_so(make_survey: MakeSurvey, tmp_path: Path, scheme: str, tuned_on: list[int], number: int):
    status = run(survey(make_survey, scheme), tmp_path / "s")
    assert status.complete
    assert len(cells_of(tmp_path / "s", trial=True)) == number
    results = json.loads((tmp_path / "s" / "runs" / "net-searched-seed0" / "results.json").read_text())
    assert results["protocol"].get("tuned_on", []) == tuned_on
    assert [row["fold"] for row in results["folds"]] == [1, 2, 3]
    best = sorted(path.name for path in (tmp_path / "s" / "search").glob("best*.yaml"))
    assert best == (["best.yaml"] if tuned_on else [f"best-fold-{n}.yaml" for n in (1, 2, 3)])
    # It is a config like any other.
    from audiosurvey.config.loader import load_config

    found = [load_config(tmp_path / "s" / "search" / name).config.protocol.tuned_on for name in best]
    # That of a nested search too, which was chosen on the fold after its own.
    assert found == ([tuned_on] if tuned_on else [[2], [3], [1]])


def test_an_unknown_key_is_found_before_a_trial(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("search: {trials: 2, space: {train.lrr: {log: [1, 2]}}}", configs="configs: [net.yaml]")
    with pytest.raises(UserError, match=r"my.yaml:3: search.space: train.lrr: unknown key; did you mean lr\?"):
        run(path, tmp_path / "s")


def test_the_faults_of_all_keys_of_the_space_are_reported_at_once(make_survey: MakeSurvey):
    space = "{train.lrr: {log: [1, 2]}, train.batch_size: {int: [0, 8]}}"
    path = make_survey(f"search: {{trials: 2, space: {space}}}", configs="configs: [net.yaml]")
    with pytest.raises(UserError) as error:
        open_survey(path, SurveyOptions())
    assert [line.partition("search.space: ")[2].partition(":")[0] for line in error.value.lines] == [
        "train.lrr",
        "train.batch_size",
    ]


def test_a_config_has_not_the_name_of_the_trials(make_survey: MakeSurvey):
    search = "search: {trials: 2, space: {train.lr: {log: [0.1, 0.2]}}}"
    configs = "configs: [{config: net.yaml, name: trials}]"
    with pytest.raises(UserError, match=r"my.yaml:1: configs.0: trials: is the row of all trials; give the config"):
        open_survey(make_survey(search, "budget: {epochs: 2}", configs=configs), SurveyOptions())


def test_an_objective_that_the_labels_do_not_have(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "single", more=", objective: map")
    with pytest.raises(
        UserError,
        match=r"my.yaml:3: search.objective: map: the clips have one label each; use accuracy, balanced_accuracy",
    ):
        run(path, tmp_path / "s")
    assert cells_of(tmp_path / "s", trial=True) == []


def test_trials_have_the_seed_of_the_survey(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "single", trials=1)
    path.write_text(path.read_text() + "seeds: [3]\n")
    ended = Ended()
    run(path, tmp_path / "s", ended)
    assert {cell.seed for cell in ended.cells} == {3}


def test_trials_are_compared_by_the_objective(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "single", trials=2, more=", objective: balanced_accuracy")
    run(path, tmp_path / "s")
    rows = [json.loads((cell / "result.json").read_text())["folds"][0] for cell in cells_of(tmp_path / "s", trial=True)]
    told = [float(trial["score"]) for trial in trials_of(tmp_path / "s")]
    assert sorted(told) == pytest.approx(sorted(row["balanced_accuracy"] for row in rows))
