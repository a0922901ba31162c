"""Searches: no trial knows its test fold, and the best one is trained on the official folds."""

import csv
import json
import time
from pathlib import Path

import pytest
from small_search import KillAfter, Killed, ThreeSlots, cells_of, run, survey, trials_of
from small_survey import MakeSurvey

from audiosurvey.errors import UserError
from audiosurvey.reproduction.record import ReproduceOptions
from audiosurvey.reproduction.reproduce import reproduce
from audiosurvey.runs.listener import no_bar
from audiosurvey.surveys import work
from audiosurvey.surveys.folder import SurveyFolder
from audiosurvey.surveys.search import pruning
from audiosurvey.surveys.search.search import Search
from audiosurvey.surveys.status import survey_status
from audiosurvey.surveys.survey import OpenSurvey, SurveyOptions, open_survey, train_final

pytest.importorskip("optuna")


def test_no_trial_holds_a_test_score(make_survey: MakeSurvey, tmp_path: Path):
    """Each trial is scored on the fold after the tested one, and never sees a clip of the tested one."""
    run(survey(make_survey, "nested"), tmp_path / "s")
    trials = cells_of(tmp_path / "s", trial=True)
    assert len(trials) == 3 * 3
    plan = json.loads((tmp_path / "s" / "plan.json").read_text())
    folds: dict[str, int] = {}
    for run_folder in (tmp_path / "s" / "runs" / "net-seed0").glob("fold-*"):
        with (run_folder / "predictions.csv").open(newline="") as file:
            folds |= {row["clip"]: int(run_folder.name[-1]) for row in csv.DictReader(file)}
    assert len(folds) == 24
    scored: dict[int, int] = {}
    for cell in trials:
        result = json.loads((cell / "result.json").read_text())
        (row,) = result["folds"]
        assert not result["official"]
        assert result["not_official"] == "scores of a validation fold, in a search"
        log = cell.joinpath("metrics.jsonl").read_text()
        assert "val_accuracy" in log
        assert "test_" not in log
        with (cell / "predictions.csv").open(newline="") as file:
            tested = {folds[line["clip"]] for line in csv.DictReader(file)}
        assert tested == {row["fold"]}
        # Of 24 clips in three folds, one fold is tested and one validates.
        assert row["train_clips"] == 8
        scored[row["fold"]] = scored.get(row["fold"], 0) + 1
    assert scored == {1: 3, 2: 3, 3: 3}
    assert {cell["id"] for cell in plan["cells"]}.isdisjoint(path.name for path in trials)


def test_the_best_trial_is_trained_on_the_official_folds(make_survey: MakeSurvey, tmp_path: Path):
    run(survey(make_survey, "single", trials=6), tmp_path / "s")
    trials = trials_of(tmp_path / "s")
    best = max(trials, key=lambda row: (float(row["score"]), -int(row["trial"])))
    config = json.loads((tmp_path / "s" / "runs" / "net-searched-seed0" / "results.json").read_text())["config"]
    assert config["train"]["lr"] == json.loads(best["train.lr"])
    assert config["loss"]["name"] == json.loads(best["loss.name"])


def test_a_round_has_a_trial_for_each_slot(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    true_train, rounds = Search._train, list[list[int]]()

    def train(self, studies, asked, executor):
        rounds.append([trial.number for _, trial in asked])
        true_train(self, studies, asked, executor)

    monkeypatch.setattr(Search, "_train", train)
    monkeypatch.setattr(OpenSurvey, "_executor", lambda self: ThreeSlots(self.opener))
    run(survey(make_survey, "single", trials=5), tmp_path / "s")
    assert rounds == [[0, 1, 2], [3, 4]]


def test_trials_below_the_median_are_ended(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    """A stop file ends a trial after its epoch: it is pruned, not done, and not asked for again."""
    monkeypatch.setattr(pruning, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(pruning, "below_median", lambda value, others, minimise: True)
    true_cell, trials = SurveyFolder.cell, list[str]()

    def slow(self, cell):
        """The second and third trial wait in their second epoch until they are asked to stop; the record of the first
        is then written."""
        folder = true_cell(self, cell)
        hook = folder.stop_hook
        if cell.id not in trials:
            trials.append(cell.id)

        def wait(record, state):
            ends = time.monotonic() + 60
            waits = record["epoch"] > 1 and trials.index(cell.id) in (1, 2)
            while waits and not folder.stop.exists() and time.monotonic() < ends:
                time.sleep(0.01)
            return hook(record, state)

        folder.stop_hook = wait
        return folder

    monkeypatch.setattr(SurveyFolder, "cell", slow)
    run(survey(make_survey, "single", trials=3, more=", prune: true"), tmp_path / "s")
    states = [row["state"] for row in trials_of(tmp_path / "s")]
    # There is nothing to compare the first with.
    assert states == ["complete", "pruned", "pruned"]
    pruned = list((tmp_path / "s").glob("cells/*/pruned.json"))
    assert [json.loads(path.read_text())["epochs"] for path in pruned] == [1, 1]
    assert not any((path.parent / "result.json").exists() for path in pruned)
    # Later trials are compared with them too.
    assert all((path.parent / "metrics.jsonl").exists() for path in pruned)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["search: {trials: 1, space: {}}"], "search.space: {} has too few values"),
        (["search: {space: {train.lr: {log: [0, 1]}}}"], "log: the bounds must be above 0"),
        (["search: {space: {train.lr: {log: [2, 1]}}}"], "log: the first bound must be below the second"),
        (["search: {space: {train.lr: {}}}"], "expected one of log, uniform, int and choice"),
        (["search: {space: {train.lr: {log: [1, 2]}}}", "seeds: [0, 1]"], "search: expected with one config, one seed"),
    ],
)
def test_faults_are_located(make_survey: MakeSurvey, tmp_path: Path, lines: list[str], message: str):
    path = make_survey(*lines, configs="configs: [net.yaml]")
    with pytest.raises(UserError) as error:
        run(path, tmp_path / "s")
    assert message in str(error.value)


def test_trials_are_part_of_the_forecast_and_the_status(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "nested", trials=2)

    def forecast() -> list[tuple[str, int, int]]:
        found = open_survey(path, SurveyOptions(tmp_path / "s")).forecast(no_bar)
        return [(row.name, row.cells, row.pending) for row in found.rows]

    assert forecast() == [("net", 3, 3), ("trials", 6, 6), ("net-searched", 3, 3)]
    with pytest.raises(Killed):
        run(path, tmp_path / "s", KillAfter(4))
    assert forecast() == [("net", 3, 3), ("trials", 6, 2), ("net-searched", 3, 3)]
    status = survey_status(tmp_path / "s")
    assert [(row.name, row.done, row.cells) for row in status.rows] == [
        ("net", 0, 3),
        ("net-searched", 0, 3),
        ("trials", 4, 6),
    ]
    assert status.cells == sum(cells for _, cells, _ in forecast())
    status = run(path, tmp_path / "s")
    rows = [("net", 3, 3), ("net-searched", 3, 3), ("trials", 6, 6)]
    assert [(row.name, row.done, row.cells) for row in status.rows] == rows
    assert status.complete
    assert {row[2] for row in forecast()} == {0}


def test_a_running_trial_is_shown(make_survey: MakeSurvey, tmp_path: Path):
    """Also by another process, which reads the folder."""

    true_run, running = work.run_job, set[str]()

    def run_job(*job):
        running.update(one.cell.title for one in survey_status(tmp_path / "s").running)
        return true_run(*job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "run_job", run_job)
        run(survey(make_survey, "single", trials=2), tmp_path / "s")
    assert {"trial 0, seed 0, fold 1", "trial 1, seed 0, fold 1"} <= running


def test_a_nested_search_leaves_no_single_recipe(make_survey: MakeSurvey, tmp_path: Path):
    """Its row is a fair score of the search; one config of it is not what the other folds were trained with."""
    path = survey(make_survey, "nested", trials=3)
    run(path, tmp_path / "s")
    found = tmp_path / "s" / "runs" / "net-searched-seed0"
    notes = json.loads((found / "results.json").read_text())["notes"]
    assert notes[1:] == ["each fold was trained with a recipe of its own, found by a nested search"]
    assert json.loads((found.parent / "net-seed0" / "results.json").read_text())["notes"] == notes[:1]
    with pytest.raises(UserError, match=r"net-searched'?: each fold was trained .* choose one of .*best-fold-\*.yaml"):
        train_final(tmp_path / "s", "net-searched")
    for recorded in (found, found / "results.json"):
        with pytest.raises(UserError, match=r": cannot be reproduced as one run, because each fold was trained with"):
            reproduce(recorded, [], ReproduceOptions(tmp_path / "again"))
    assert not (tmp_path / "again").exists()
