"""A search that is interrupted, enlarged or taken up again: no trial is lost or trained twice."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from small_search import Ended, KillAfter, Killed, cells_of, run, survey, trials_of
from small_survey import MakeSurvey, results_of

from audiosurvey.runs.listener import no_bar
from audiosurvey.runs.results import results as run_results
from audiosurvey.surveys.folder import CellFolder
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.search import pruning
from audiosurvey.surveys.search.pruning import MedianPruning
from audiosurvey.surveys.search.search import Search
from audiosurvey.surveys.search.study import Study
from audiosurvey.surveys.status import survey_status
from audiosurvey.surveys.survey import SurveyOptions, open_survey
from audiosurvey.surveys.table import LiveTable
from audiosurvey.version import __version__

pytest.importorskip("optuna")


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
        plan = open_survey(path, SurveyOptions(tmp_path / "s")).plan
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
        rows = open_survey(path, SurveyOptions(tmp_path / "s")).forecast(no_bar).rows
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
    forecast = open_survey(path, SurveyOptions(tmp_path / "s")).forecast(no_bar)
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


def test_a_damaged_fold_does_not_stop_a_search_that_goes_on(make_survey: MakeSurvey, tmp_path: Path):
    """The results of all rows are read while trials are trained, to show where the survey stands."""
    run(survey(make_survey, "single", trials=2), tmp_path / "s")
    damaged = cells_of(tmp_path / "s", trial=False)[0]
    (damaged / "result.json").write_text("")
    opened = open_survey(survey(make_survey, "single", trials=3), SurveyOptions(tmp_path / "s"))
    shown = StringIO()
    assert opened.train(LiveTable(opened.reader, Console(file=shown))).complete
    assert f"replaced/{damaged.name}-damaged" in shown.getvalue()
    assert "trial 2, seed 0, fold 1: score " in shown.getvalue()


def test_what_was_found_stays_in_the_plan(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "single", trials=2)
    run(path, tmp_path / "s")
    before = (tmp_path / "s" / "plan.json").read_bytes()
    open_survey(path, SurveyOptions(tmp_path / "s")).forecast(no_bar)
    assert (tmp_path / "s" / "plan.json").read_bytes() == before
    # A call that is stopped in its search has written the plan too.
    with pytest.raises(Killed):
        run(survey(make_survey, "single", trials=3), tmp_path / "s", KillAfter(1))
    assert {row.name: row.done for row in survey_status(tmp_path / "s").rows} == {
        "net": 3,
        "net-searched": 3,
        "trials": 3,
    }


def test_the_row_of_another_search_is_not_compared_while_a_search_runs(make_survey: MakeSurvey, tmp_path: Path):
    path = survey(make_survey, "single", trials=2)
    run(path, tmp_path / "s")
    assert (tmp_path / "s" / "runs" / "net-searched-seed0").exists()
    path.write_text(path.read_text().replace("1e-3, 1e-1", "1e-3, 1e-2"))
    with pytest.raises(Killed):
        run(path, tmp_path / "s", KillAfter(1))
    assert [one.name for one in (tmp_path / "s" / "runs").iterdir()] == ["net-seed0"]


@pytest.mark.parametrize("name", ["cells-*.json", "journal.log"])
def test_a_damaged_file_of_a_search_costs_no_trial(make_survey: MakeSurvey, tmp_path: Path, name: str):
    path = survey(make_survey, "nested", trials=3)
    run(path, tmp_path / "s")
    before, results = trials_of(tmp_path / "s"), results_of(tmp_path / "s")
    (file,) = (tmp_path / "s" / "search").glob(name)
    if name == "journal.log":
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:20]) + b"\0\0\0\n" + b"".join(lines[21:]))
    else:
        file.write_bytes(b"")
    ended = Ended()
    status = run(path, tmp_path / "s", ended)
    assert ended.cells == []
    assert {row.name: (row.done, row.cells) for row in status.rows} == {
        "net": (3, 3),
        "net-searched": (3, 3),
        "trials": (9, 9),
    }
    assert (trials_of(tmp_path / "s"), results_of(tmp_path / "s")) == (before, results)
