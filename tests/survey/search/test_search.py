"""Searches: no trial knows its test fold, none is lost or trained twice, and what was tuned says so."""

import csv
import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from small_survey import MakeSurvey, results_of

from audiosurvey import pipeline
from audiosurvey.errors import UserError
from audiosurvey.reproduce.record import ReproduceOptions
from audiosurvey.runs.listener import no_bar
from audiosurvey.runs.results import results as run_results
from audiosurvey.survey import work
from audiosurvey.survey.cell import Cell
from audiosurvey.survey.executors.inline import InlineExecutor
from audiosurvey.survey.folder import CellFolder, SurveyFolder
from audiosurvey.survey.plan import Opener
from audiosurvey.survey.search import pruning
from audiosurvey.survey.search.pruning import MedianPruning
from audiosurvey.survey.search.recipes import TrialRecipes
from audiosurvey.survey.search.search import Search
from audiosurvey.survey.search.study import Study
from audiosurvey.survey.session import SurveyListener
from audiosurvey.survey.survey import OpenSurvey, SurveyOptions
from audiosurvey.version import __version__

pytest.importorskip("optuna")

SPACE = "space: {train.lr: {log: [1e-3, 1e-1]}, loss.name: {choice: [cross_entropy, bce]}}"


def survey(make: MakeSurvey, scheme: str, trials: int = 3, more: str = "") -> Path:
    search = f"search: {{trials: {trials}, scheme: {scheme}, {SPACE}{more}}}"
    return make(search, "budget: {epochs: 2}", configs="configs: [net.yaml]")


def run(path: Path, folder: Path, listener: SurveyListener | None = None, **options):
    return pipeline.open_survey(path, SurveyOptions(folder, **options)).train(listener or SurveyListener())


def trials_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "search" / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cells_of(folder: Path, *, trial: bool) -> list[Path]:
    found = []
    for path in (folder / "cells").glob("*/result.json"):
        if json.loads(path.read_text()).get("search_trial", False) == trial:
            found.append(path.parent)
    return found


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

    assert load_config(tmp_path / "s" / "search" / best[0]).config.protocol.tuned_on == tuned_on


def test_the_best_trial_is_trained_on_the_official_folds(make_survey: MakeSurvey, tmp_path: Path):
    run(survey(make_survey, "single", trials=6), tmp_path / "s")
    trials = trials_of(tmp_path / "s")
    best = max(trials, key=lambda row: (float(row["score"]), -int(row["trial"])))
    config = json.loads((tmp_path / "s" / "runs" / "net-searched-seed0" / "results.json").read_text())["config"]
    assert config["train"]["lr"] == json.loads(best["train.lr"])
    assert config["loss"]["name"] == json.loads(best["loss.name"])


class Ended(SurveyListener):
    """Keeps the cells that have ended."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []

    def ended(self, cell, outcome) -> None:
        self.cells.append(cell)


class Killed(Exception):
    pass


class KillAfter(SurveyListener):
    """Ends the driver when so many cells have ended, as a kill would: nothing is told to the study."""

    def __init__(self, cells: int) -> None:
        self.left = cells

    def ended(self, cell, outcome) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


def test_an_interrupted_search_goes_on(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "nested", trials=6)
    for cells in (4, 9):
        with pytest.raises(Killed):
            run(path, tmp_path / "s", KillAfter(cells))
    run(path, tmp_path / "s")
    run(path, tmp_path / "whole")
    assert trials_of(tmp_path / "s") == trials_of(tmp_path / "whole")
    assert results_of(tmp_path / "s") == results_of(tmp_path / "whole")
    assert [row["state"] for row in trials_of(tmp_path / "s")] == ["complete"] * 18


class ThreeSlots(InlineExecutor):
    """Has three slots by name; one after the other is as good here."""

    slots = 3

    def alone(self) -> InlineExecutor:
        return InlineExecutor(self._opener)


def test_a_round_has_a_trial_for_each_slot(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    true_train, rounds = Search._train, list[list[int]]()

    def train(self, studies, asked, executor):
        rounds.append([trial.number for _, trial in asked])
        true_train(self, studies, asked, executor)

    monkeypatch.setattr(Search, "_train", train)
    monkeypatch.setattr(OpenSurvey, "_executor", lambda self: ThreeSlots(self.opener))
    run(survey(make_survey, "single", trials=5), tmp_path / "s")
    assert rounds == [[0, 1, 2], [3, 4]]


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


def test_two_processes_ask_for_no_more_trials_than_there_are(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    """The second finds the trial of the first, though both look at the same time."""
    path = survey(make_survey, "single", trials=1)
    barrier, true_ask = threading.Barrier(2), Study.ask

    def ask(self):
        with suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=1)
        return true_ask(self)

    monkeypatch.setattr(Study, "ask", ask)

    def names(_: int) -> list[int]:
        plan = pipeline.open_survey(path, SurveyOptions(tmp_path / "s")).plan
        assert plan.search is not None
        search = Search(plan.survey, plan.folder, plan.rows[0], plan.conditions, plan.search, Opener())
        return [trial.number for _, trial in search._ask(search._studies(), slots=1)]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(names, range(2))) == [[0], [0]]


def test_more_trials_later(make_survey: MakeSurvey, tmp_path: Path):
    run(survey(make_survey, "single", trials=2), tmp_path / "s")
    before = trials_of(tmp_path / "s")
    run(survey(make_survey, "single", trials=4), tmp_path / "s")
    after = trials_of(tmp_path / "s")
    assert (after[:2], len(after)) == (before, 4)


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


def test_an_interrupted_search_prunes_as_one_that_was_not(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    true_following, true_hook = MedianPruning.following, CellFolder.stop_hook
    looks: list[Callable[[], None]] = []

    def following(self, cells):
        looks[:] = [partial(self.look, cells)]
        return true_following(self, cells)

    def stop_hook(self, record, state):
        """Looks after each epoch, where the clock has no influence."""
        looks[0]()
        return true_hook(self, record, state)

    monkeypatch.setattr(pruning, "_LOOK_EVERY", 1e6)
    monkeypatch.setattr(MedianPruning, "following", following)
    monkeypatch.setattr(CellFolder, "stop_hook", stop_hook)
    path = survey(make_survey, "single", trials=12, more=", prune: true")
    run(path, tmp_path / "whole")
    for cells in (6, 2):
        with pytest.raises(Killed):
            run(path, tmp_path / "s", KillAfter(cells))
    run(path, tmp_path / "s")
    whole = trials_of(tmp_path / "whole")
    assert trials_of(tmp_path / "s") == whole
    assert "pruned" in [row["state"] for row in whole[8:]]


def test_what_another_search_has_pruned_is_trained(make_survey: MakeSurvey, tmp_path: Path):
    """Two searches may try the same values; whether a trial is pruned depends on the other trials of its search."""

    def search(prune: str) -> Path:
        space = "{loss.name: {choice: [cross_entropy, bce]}}"
        line = f"search: {{trials: 3, scheme: single, space: {space}, prune: {prune}}}"
        return make_survey(line, "budget: {epochs: 2}", configs="configs: [net.yaml]")

    run(search("true"), tmp_path / "s")
    for cell in cells_of(tmp_path / "s", trial=True):
        (cell / "result.json").rename(cell / "pruned.json")
        (cell / "stop").touch()
    status = run(search("false"), tmp_path / "s")
    assert [row["state"] for row in trials_of(tmp_path / "s")] == ["complete"] * 3
    assert status.complete


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


def test_an_unknown_key_is_found_before_a_trial(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("search: {trials: 2, space: {train.lrr: {log: [1, 2]}}}", configs="configs: [net.yaml]")
    with pytest.raises(UserError, match=r"my.yaml:3: search.space: train.lrr: unknown key; did you mean lr\?"):
        run(path, tmp_path / "s")


def test_an_objective_that_the_labels_do_not_have(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "single", more=", objective: map")
    with pytest.raises(
        UserError, match=r"my.yaml:3: search.objective: map: the clips have one label each; use accuracy or"
    ):
        run(path, tmp_path / "s")
    assert cells_of(tmp_path / "s", trial=True) == []


def test_a_search_moves_with_its_data(make_survey: MakeSurvey, tmp_path: Path, tones: Path):
    """The place of the data makes no other search; other labels, another number of threads do."""
    path = survey(make_survey, "single", trials=2)
    run(path, tmp_path / "s")
    before, cells = trials_of(tmp_path / "s"), results_of(tmp_path / "s")
    shutil.copytree(tones, tmp_path / "moved")
    path.write_text(path.read_text().replace(tones.as_posix(), (tmp_path / "moved").as_posix()))
    ended = Ended()
    run(path, tmp_path / "s", ended)
    assert (ended.cells, trials_of(tmp_path / "s"), results_of(tmp_path / "s")) == ([], before, cells)
    low, high = tmp_path / "moved" / "low", tmp_path / "moved" / "high"
    (low / "0.wav").rename(high / "moved.wav")
    (high / "0.wav").rename(low / "moved.wav")
    ended = Ended()
    run(path, tmp_path / "s", ended)
    assert len([cell for cell in ended.cells if cell.trial]) == 2
    path.write_text(path.read_text() + "threads: 2\n")
    ended = Ended()
    run(path, tmp_path / "s", ended)
    assert len([cell for cell in ended.cells if cell.trial]) == 2


def test_trials_have_the_seed_of_the_survey(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "single", trials=1)
    path.write_text(path.read_text() + "seeds: [3]\n")
    ended = Ended()
    run(path, tmp_path / "s", ended)
    assert {cell.seed for cell in ended.cells} == {3}


def test_trials_are_part_of_the_forecast_and_the_status(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "nested", trials=2)

    def forecast() -> list[tuple[str, int, int]]:
        found = pipeline.open_survey(path, SurveyOptions(tmp_path / "s")).forecast(no_bar)
        return [(row.name, row.cells, row.pending) for row in found.rows]

    assert forecast() == [("net", 3, 3), ("trials", 6, 6), ("net-searched", 3, 3)]
    with pytest.raises(Killed):
        run(path, tmp_path / "s", KillAfter(4))
    assert forecast() == [("net", 3, 3), ("trials", 6, 2), ("net-searched", 3, 3)]
    status = pipeline.survey_status(tmp_path / "s")
    assert [(row.name, row.done, row.cells) for row in status.rows] == [("net", 0, 3), ("trials", 4, 6)]
    status = run(path, tmp_path / "s")
    rows = [("net", 3, 3), ("net-searched", 3, 3), ("trials", 6, 6)]
    assert [(row.name, row.done, row.cells) for row in status.rows] == rows
    assert status.complete
    assert {row[2] for row in forecast()} == {0}


def test_fresh_begins_a_search_with_trials_of_another_version_anew(make_survey: MakeSurvey, tmp_path: Path):
    """Trials of this version are kept, where it asks for the same values."""
    path = survey(make_survey, "single", trials=4)
    run(path, tmp_path / "s")
    before, results = trials_of(tmp_path / "s"), results_of(tmp_path / "s")
    cell = cells_of(tmp_path / "s", trial=True)[1]
    older = json.loads((cell / "result.json").read_text()) | {"version": "0.0.1"}
    older["folds"][0]["accuracy"] = 1.5
    (cell / "result.json").write_text(json.dumps(older))
    ended = Ended()
    run(path, tmp_path / "s", ended)
    assert ended.cells == []
    with pytest.raises(Killed):
        run(path, tmp_path / "s", KillAfter(1), fresh=True)
    assert (tmp_path / "s" / "replaced" / f"{cell.name}-0.0.1").exists()
    # From here on it is a search like any other.
    for fresh in (False, True):
        status = run(path, tmp_path / "s", ended, fresh=fresh)
        assert ended.cells == []
        assert status.complete
        assert (trials_of(tmp_path / "s"), results_of(tmp_path / "s")) == (before, results)


def test_fresh_takes_no_score_of_another_version(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    """The score of a trial that was told is not taken over."""
    path = survey(make_survey, "single", trials=2)
    with monkeypatch.context() as patch:
        patch.setattr(Search, "_score", lambda self, cell: 1.5)
        patch.setattr(run_results, "__version__", "0.0.1")
        run(path, tmp_path / "s")
    assert {row["score"] for row in trials_of(tmp_path / "s")} == {"1.5"}
    status = run(path, tmp_path / "s", fresh=True)
    assert "1.5" not in {row["score"] for row in trials_of(tmp_path / "s")}
    assert {version for row in status.rows for version in row.versions} == {__version__}


def test_trials_are_counted_for_each_tested_fold(make_survey: MakeSurvey, tmp_path: Path):
    """Those of one fold do not stand for those of another."""

    def change(folds: str, trials: int) -> Path:
        path = survey(make_survey, "nested", trials=trials)
        path.write_text(path.read_text() + f"folds: {folds}\n")
        return path

    def forecast(path: Path) -> tuple[int, int]:
        rows = pipeline.open_survey(path, SurveyOptions(tmp_path / "s")).forecast(no_bar).rows
        return next((row.cells, row.pending) for row in rows if row.name == "trials")

    run(change("[1]", 4), tmp_path / "s")
    # Fold 1 has more than enough, the two others have none.
    assert forecast(change("all", 2)) == (4 + 2 + 2, 4)
    assert run(change("all", 2), tmp_path / "s").complete
    assert forecast(change("[2]", 3)) == (3, 1)
    status = run(change("[2]", 3), tmp_path / "s")
    assert [(row.name, row.done, row.cells) for row in status.rows][-1] == ("trials", 3, 3)
    assert len(cells_of(tmp_path / "s", trial=True)) == 4 + 3 + 2


def test_an_earlier_search_is_as_complete_as_before(make_survey: MakeSurvey, tmp_path: Path):
    """Another search in between takes nothing from it."""
    path = survey(make_survey, "single", trials=2)
    run(path, tmp_path / "s")
    text = path.read_text()
    path.write_text(text.replace("1e-3, 1e-1", "1e-3, 1e-2"))
    run(path, tmp_path / "s")
    path.write_text(text)
    forecast = pipeline.open_survey(path, SurveyOptions(tmp_path / "s")).forecast(no_bar)
    assert [(row.name, row.cells, row.pending) for row in forecast.rows][1] == ("trials", 2, 0)
    ended = Ended()
    status = run(path, tmp_path / "s", ended)
    assert [cell for cell in ended.cells if cell.trial] == []
    assert status.complete


def test_a_result_that_was_removed_is_trained_again(make_survey: MakeSurvey, tmp_path: Path):
    """As the message about a damaged one says."""
    path = survey(make_survey, "single", trials=3)
    run(path, tmp_path / "s")
    before, results = trials_of(tmp_path / "s"), results_of(tmp_path / "s")
    removed = cells_of(tmp_path / "s", trial=True)[1]
    (removed / "result.json").unlink()
    ended = Ended()
    status = run(path, tmp_path / "s", ended)
    assert [cell.id for cell in ended.cells] == [removed.name]
    assert status.complete
    assert (trials_of(tmp_path / "s"), results_of(tmp_path / "s")) == (before, results)


def test_a_running_trial_is_shown(make_survey: MakeSurvey, tmp_path: Path):
    """Also by another process, which reads the folder."""

    true_run, running = work.run_job, set[str]()

    def run_job(*job):
        running.update(one.cell.title for one in pipeline.survey_status(tmp_path / "s").running)
        return true_run(*job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "run_job", run_job)
        run(survey(make_survey, "single", trials=2), tmp_path / "s")
    assert {"trial 0, seed 0, fold 1", "trial 1, seed 0, fold 1"} <= running


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


def failing(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> list[bool]:
    """The trainings of trials with these numbers, in order of their begin, fail; returns what was trained: whether it
    was a trial."""
    true_run, ran = work.run_job, list[bool]()

    def run_job(job, *others):
        ran.append(job.trial)
        if job.trial and sum(ran) - 1 in numbers:
            raise ValueError("no")
        return true_run(job, *others)

    monkeypatch.setattr(work, "run_job", run_job)
    return ran


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
        opened = pipeline.open_survey(path, SurveyOptions(tmp_path / "s", **options))
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


def test_what_was_found_stays_in_the_plan(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "single", trials=2)
    run(path, tmp_path / "s")
    before = (tmp_path / "s" / "plan.json").read_bytes()
    pipeline.open_survey(path, SurveyOptions(tmp_path / "s")).forecast(no_bar)
    assert (tmp_path / "s" / "plan.json").read_bytes() == before
    # A call that is stopped in its search has written the plan too.
    with pytest.raises(Killed):
        run(survey(make_survey, "single", trials=3), tmp_path / "s", KillAfter(1))
    assert {row.name: row.done for row in pipeline.survey_status(tmp_path / "s").rows} == {
        "net": 3,
        "net-searched": 3,
        "trials": 3,
    }


def test_a_nested_search_leaves_no_single_recipe(make_survey: MakeSurvey, tmp_path: Path):
    """Its row is a fair score of the search; one config of it is not what the other folds were trained with."""
    path = survey(make_survey, "nested", trials=3)
    run(path, tmp_path / "s")
    found = tmp_path / "s" / "runs" / "net-searched-seed0"
    notes = json.loads((found / "results.json").read_text())["notes"]
    assert notes[1:] == ["each fold was trained with a recipe of its own, found by a nested search"]
    assert json.loads((found.parent / "net-seed0" / "results.json").read_text())["notes"] == notes[:1]
    with pytest.raises(UserError, match=r"net-searched'?: each fold was trained .* choose one of .*best-fold-\*.yaml"):
        pipeline.train_final(tmp_path / "s", "net-searched")
    for recorded in (found, found / "results.json"):
        with pytest.raises(UserError, match=r": cannot be reproduced as one run, since each fold was trained with"):
            pipeline.reproduce(recorded, [], ReproduceOptions(tmp_path / "again"))
    assert not (tmp_path / "again").exists()
