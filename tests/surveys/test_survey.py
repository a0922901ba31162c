"""A survey from its file to its run folders: everything is trained once, and whatever stops it, it goes on."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from small_survey import MakeSurvey, results_of

from audiosurvey.api.evaluation import evaluate
from audiosurvey.errors import ArgumentError, DiskFull, UserError
from audiosurvey.runs.listener import no_bar
from audiosurvey.runs.listing import list_runs
from audiosurvey.runs.train import TrainListener, train
from audiosurvey.surveys import work
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.shard import Shard
from audiosurvey.surveys.status import SurveyStatus, survey_status
from audiosurvey.surveys.survey import SurveyOptions, final_run, open_survey, train_final
from audiosurvey.surveys.work import CellTimeout, Keeping
from audiosurvey.threads import threads

Ended = list[tuple[str, str]]


class Recording(SurveyListener):
    """Keeps what became of each cell."""

    def __init__(self) -> None:
        self.cells: Ended = []

    def ended(self, cell, outcome) -> None:
        self.cells.append((cell.title, outcome))


def run(path: Path, folder: Path, **options) -> tuple[SurveyStatus, Ended]:
    listener = Recording()
    status = open_survey(path, SurveyOptions(folder, **options)).train(listener)
    return status, listener.cells


def test_every_config_seed_and_fold_is_trained_once(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("seeds: [0, 1]")
    status, ended = run(path, tmp_path / "s")
    assert (status.cells, status.done, status.complete) == (12, 12, True)
    assert len(ended) == len(set(ended)) == 12
    # The seeds come one after the other, so that all configs can be compared early.
    assert [title for title, _ in ended[:2]] == ["net, seed 0, fold 1", "net, seed 0, fold 2"]
    assert ended[3][0] == "wide, seed 0, fold 1"
    assert sorted(path.name for path in (tmp_path / "s" / "runs").iterdir()) == [
        "net-seed0",
        "net-seed1",
        "wide-seed0",
        "wide-seed1",
    ]
    # Nothing is left to do.
    assert run(path, tmp_path / "s")[1] == []


def test_a_cell_is_the_fold_that_train_trains(make_survey: MakeSurvey, tmp_path: Path, tones: Path):
    run(make_survey("folds: [2]"), tmp_path / "s")
    from audiosurvey.config.loader import load_config
    from audiosurvey.runs.plan import TrainOptions

    data = f"dataset={{name: folder, root: '{tones.as_posix()}', num_folds: 3, clip_seconds: 0.5}}"
    train(load_config("net.yaml", [data]), TrainOptions(tmp_path / "run", folds=[2], threads=1))
    theirs, ours = tmp_path / "run" / "fold-2", tmp_path / "s" / "runs" / "net-seed0" / "fold-2"
    assert (ours / "predictions.csv").read_bytes() == (theirs / "predictions.csv").read_bytes()


def test_run_folders_are_those_of_train(make_survey: MakeSurvey, tmp_path: Path):
    run(make_survey("keep: model"), tmp_path / "s")
    folder = tmp_path / "s" / "runs" / "wide-seed0"
    before = json.loads((folder / "results.json").read_text())
    assert [row["fold"] for row in before["folds"]] == [1, 2, 3]
    after = evaluate(folder)
    assert after.mean["accuracy"] == before["mean"]["accuracy"]
    assert [found.path for found in list_runs(tmp_path / "s", print)] == [
        tmp_path / "s" / "runs" / "net-seed0",
        folder,
    ]
    row = json.loads((folder / "row.json").read_text())
    assert (row["name"], row["config"], row["seed"], list(row["cells"])) == ("wide", "wide", 0, ["1", "2", "3"])


@pytest.mark.parametrize(("keep", "model", "checkpoint"), [("predictions", 0, 0), ("model", 1, 0), ("all", 1, 1)])
def test_what_is_kept(make_survey: MakeSurvey, tmp_path: Path, keep: str, model: int, checkpoint: int):
    run(make_survey("folds: [1]", f"keep: {keep}"), tmp_path / "s")
    for folder in [*(tmp_path / "s" / "cells").iterdir(), tmp_path / "s" / "runs" / "net-seed0" / "fold-1"]:
        assert (folder / "predictions.csv").exists()
        assert (folder / "model").exists() == bool(model)
        assert (folder / "checkpoint").exists() == bool(checkpoint)


def test_shards_together_are_the_whole(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey()
    run(path, tmp_path / "whole")
    for index in (3, 1, 2):
        status, ended = run(path, tmp_path / "parts", shard=Shard(index, 3))
        assert len(ended) == 2
    assert status.complete
    assert results_of(tmp_path / "parts") == results_of(tmp_path / "whole")


def test_a_changed_config_makes_new_cells_and_leaves_the_old(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("folds: [1]")
    run(path, tmp_path / "s")
    before = results_of(tmp_path / "s")
    text = (tmp_path / "net.yaml").read_text()
    (tmp_path / "net.yaml").write_text(text.replace("lr: 0.02", "lr: 0.01"))
    _, ended = run(path, tmp_path / "s")
    assert len(ended) == 2
    after = results_of(tmp_path / "s")
    assert len(after) == 4
    assert before.items() <= after.items()
    # The run folders are of the config of today; the others are set aside.
    run_folder = json.loads((tmp_path / "s" / "runs" / "net-seed0" / "results.json").read_text())
    assert run_folder["config"]["train"]["lr"] == 0.01
    assert (tmp_path / "s" / "replaced" / "net-seed0-1" / "results.json").exists()


def test_another_number_of_folds_later(make_survey: MakeSurvey, tmp_path: Path):
    run(make_survey("folds: [1]"), tmp_path / "s")
    status, ended = run(make_survey(), tmp_path / "s")
    assert len(ended) == 4
    assert status.complete
    folds = json.loads((tmp_path / "s" / "runs" / "net-seed0" / "results.json").read_text())["folds"]
    assert [row["fold"] for row in folds] == [1, 2, 3]


def failing(monkeypatch: pytest.MonkeyPatch, **errors: BaseException) -> None:
    """Training of fold N raises `foldN`."""
    true_run = work.run_job

    def run_job(job, *others):
        if error := errors.get(f"fold{job.fold}"):
            raise error
        return true_run(job, *others)

    monkeypatch.setattr(work, "run_job", run_job)


def test_cells_that_fail_are_named_and_the_others_are_done(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    path = make_survey(configs="configs: [net.yaml]")
    whole = make_survey(configs="configs: [net.yaml]")
    with monkeypatch.context() as patch:
        failing(
            patch, fold1=ZeroDivisionError("no\nway"), fold2=MemoryError(), fold3=FileNotFoundError(2, "gone", "a.wav")
        )
        status, ended = run(path, tmp_path / "s")
    assert [outcome for _, outcome in ended] == ["failed"] * 3
    assert [(one.kind, one.message) for one in status.failed] == [
        ("error", "ZeroDivisionError: no"),
        ("memory", "out of memory"),
        ("error", "FileNotFoundError: [Errno 2] gone: 'a.wav'"),
    ]
    assert "Traceback (most recent call last)" in Path(status.failed[0].traceback).read_text()
    # They are not tried again unless that is asked for, and named again.
    status, ended = run(path, tmp_path / "s")
    assert (ended, len(status.failed)) == ([], 3)
    status, ended = run(path, tmp_path / "s", retry_failed=True)
    assert [outcome for _, outcome in ended] == ["done"] * 3
    assert status.complete
    assert not status.failed
    run(whole, tmp_path / "whole")
    assert results_of(tmp_path / "s") == results_of(tmp_path / "whole")


def test_the_forecast_counts_failed_cells_if_they_are_retried(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    path = make_survey()
    with monkeypatch.context() as patch:
        failing(patch, fold2=RuntimeError("no"))
        run(path, tmp_path / "s")
    for retry, pending in ((False, 0), (True, 2)):
        opened = open_survey(path, SurveyOptions(tmp_path / "s", retry_failed=retry))
        assert opened.forecast(no_bar).pending == pending


def test_retrying_trains_what_failed_alone(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    path = make_survey()
    with monkeypatch.context() as patch:
        failing(patch, fold2=RuntimeError("no"))
        status, _ = run(path, tmp_path / "s")
    assert (status.done, len(status.failed)) == (4, 2)
    _, ended = run(path, tmp_path / "s", retry_failed=True)
    assert [title for title, _ in ended] == ["net, seed 0, fold 2", "wide, seed 0, fold 2"]


def test_the_time_left_is_known_while_nothing_runs(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey()
    status, _ = run(path, tmp_path / "s", shard=Shard(1, 3))
    assert (status.done, status.cells) == (2, 6)
    assert status.seconds_left == pytest.approx(sum(2 * (row.seconds or 0) for row in status.rows))
    status, _ = run(path, tmp_path / "s")
    assert status.seconds_left is None


def test_too_many_failures_stop_it(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    failing(monkeypatch, fold1=ValueError("no"), fold2=ValueError("no"))
    with pytest.raises(UserError, match=r"^stopped after 2 failed cells \(max_failures\); .*retry_failed=True"):
        run(make_survey("max_failures: 2"), tmp_path / "s")
    assert len(list((tmp_path / "s").glob("cells/*/failure.json"))) == 2


def test_a_cell_that_takes_too_long_fails(make_survey: MakeSurvey, tmp_path: Path):
    status, _ = run(make_survey("timeout: 0.001", "folds: [1]"), tmp_path / "s")
    assert {(one.kind, one.message) for one in status.failed} == {
        ("timeout", "took longer than the timeout of 0.001 s")
    }


@pytest.mark.parametrize("epoch", [1, 2])
def test_ctrl_c_leaves_it_resumable(make_survey: MakeSurvey, tmp_path: Path, monkeypatch, epoch: int):
    path = make_survey()
    run(path, tmp_path / "whole")
    true_say = work._CellListener.on_epoch
    pressed = []

    def on_epoch(self, record) -> None:
        true_say(self, record)
        if self._cell.title == "wide, seed 0, fold 1" and record["epoch"] == epoch and not pressed:
            pressed.append(epoch)
            raise KeyboardInterrupt

    monkeypatch.setattr(work._CellListener, "on_epoch", on_epoch)
    with pytest.raises(KeyboardInterrupt):
        run(path, tmp_path / "s")
    status = survey_status(tmp_path / "s")
    assert (status.done, status.running, status.failed) == (3, [], [])
    assert (tmp_path / "s" / "runs" / "net-seed0" / "results.json").exists()
    run(path, tmp_path / "s")
    assert results_of(tmp_path / "s") == results_of(tmp_path / "whole")


def test_fresh_trains_cells_of_other_versions_again(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("folds: [1]")
    run(path, tmp_path / "s")
    cell = sorted((tmp_path / "s" / "cells").iterdir())[0]
    older = json.loads((cell / "result.json").read_text()) | {"version": "0.0.1"}
    (cell / "result.json").write_text(json.dumps(older))
    status, ended = run(path, tmp_path / "s")
    assert ended == []
    assert {version for row in status.rows for version in row.versions} >= {"0.0.1"}
    opened = open_survey(path, SurveyOptions(tmp_path / "s", fresh=True))
    # As a table does that is refreshed from the beginning.
    opened.reader.read()
    listener = Recording()
    status = opened.train(listener)
    assert len(listener.cells) == 1
    assert "0.0.1" not in {version for row in status.rows for version in row.versions}
    assert (tmp_path / "s" / "replaced" / f"{cell.name}-0.0.1" / "result.json").exists()
    assert json.loads((cell / "result.json").read_text())["version"] != "0.0.1"
    # Neither is the run of the older one shown any longer.
    for folder in (tmp_path / "s" / "runs").iterdir():
        for file in (folder / "results.json", folder / "fold-1" / "result.json"):
            assert json.loads(file.read_text())["version"] != "0.0.1"


def test_a_run_is_made_anew_if_its_cell_was_trained_again(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("folds: [1]", configs="configs: [net.yaml]")
    run(path, tmp_path / "s")
    (cell,) = (tmp_path / "s" / "cells").iterdir()
    newer = json.loads((cell / "result.json").read_text()) | {"version": "9.9"}
    (cell / "result.json").unlink()
    (cell / "result.json").write_text(json.dumps(newer))
    run(path, tmp_path / "s")
    assert json.loads((tmp_path / "s" / "runs" / "net-seed0" / "results.json").read_text())["version"] == "9.9"


def test_rows_that_the_survey_no_longer_has_are_set_aside(make_survey: MakeSurvey, tmp_path: Path):
    run(make_survey("folds: [1]"), tmp_path / "s")
    swept = make_survey("folds: [1]", "sweep: {train.lr: [0.02]}", configs="configs: [net.yaml]")
    run(swept, tmp_path / "s")
    assert [path.name for path in sorted((tmp_path / "s" / "runs").iterdir())] == ["net_lr=0.02-seed0"]
    assert (tmp_path / "s" / "replaced" / "wide-seed0-1" / "results.json").exists()


@pytest.mark.parametrize("where", ["run_job", "resolved_yaml"])
def test_a_full_disk_stops_the_survey_and_leaves_its_cells_open(
    make_survey: MakeSurvey, tmp_path: Path, monkeypatch, where: str
):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device", "state.safetensors")

    path = make_survey()
    with monkeypatch.context() as patch:
        patch.setattr(work, where, full)
        with pytest.raises(DiskFull, match=r"state\.safetensors: No space left on device; free some space"):
            run(path, tmp_path / "s")
    status = survey_status(tmp_path / "s")
    assert (status.failed, status.running) == ([], [])
    status, ended = run(path, tmp_path / "s")
    assert status.complete
    assert len(ended) == 6


def test_a_process_that_lost_its_claim_leaves_the_cell_alone(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    path = make_survey("folds: [1]", configs="configs: [net.yaml]")
    true_say = work._CellListener.on_epoch

    def robbed(self: Any, record: dict[str, Any]) -> None:
        true_say(self, record)
        (claim,) = (tmp_path / "s" / "cells").glob("*/claim.json")
        # Another process took the claim over while this one was suspended, has finished the cell, and ended.
        claim.write_text(json.dumps(json.loads(claim.read_text()) | {"token": "another", "born": 0}))
        raise CellTimeout("took longer than the timeout")

    with monkeypatch.context() as patch:
        patch.setattr(work._CellListener, "on_epoch", robbed)
        opened = open_survey(path, SurveyOptions(tmp_path / "s"))
        (cell,) = opened.plan.cells
        assert work.train_cell(cell, opened.plan.folder, Keeping(), opened.opener) == "busy"
    assert not list((tmp_path / "s" / "cells").glob("*/failure.json"))


def test_a_budget_in_steps_and_in_seconds(make_survey: MakeSurvey, tmp_path: Path, tones: Path):
    # 16 training clips in batches of 8: two steps an epoch.
    opened = open_survey(make_survey("budget: {steps: 6}"), SurveyOptions(tmp_path / "steps"))
    assert {cell.epochs for cell in opened.plan.cells} == {3}
    path = make_survey("budget: {seconds: 1}")
    first = open_survey(path, SurveyOptions(tmp_path / "s")).plan
    assert min(cell.epochs for cell in first.cells) > 3
    # Measured once: whoever works on the survey later trains the same cells.
    assert open_survey(path, SurveyOptions(tmp_path / "s")).plan.cells == first.cells
    # Nor does it matter where the data are.
    shutil.copytree(tones, tmp_path / "moved")
    path.write_text(path.read_text().replace(str(tones), str(tmp_path / "moved")))
    moved = open_survey(path, SurveyOptions(tmp_path / "s")).plan
    assert [cell.id for cell in moved.cells] == [cell.id for cell in first.cells]


def test_a_budget_is_the_length_of_configs_with_patience_too(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("budget: {epochs: 4}", configs="configs: [{config: net.yaml, set: {train.lr: 0.01}}]")
    text = (tmp_path / "net.yaml").read_text()
    (tmp_path / "net.yaml").write_text(text.replace("epochs: 2,", "epochs: 9, patience: 1,"))
    plan = open_survey(path, SurveyOptions(tmp_path / "s")).plan
    assert {(cell.config.train.epochs, cell.config.train.patience) for cell in plan.cells} == {(4, None)}


def test_the_cost_is_told_before(make_survey: MakeSurvey, tmp_path: Path):
    opened = open_survey(make_survey("seeds: [0, 1]"), SurveyOptions(tmp_path / "s", jobs=2))
    found = opened.forecast(no_bar)
    assert [(row.name, row.cells, row.pending, row.epochs) for row in found.rows] == [
        ("net", 6, 6, 2),
        ("wide", 6, 6, 2),
    ]
    assert found.rows[1].parameters > found.rows[0].parameters
    assert found.seconds == pytest.approx(sum(6 * row.seconds_per_cell for row in found.rows) / 2)
    assert list((tmp_path / "s").iterdir())
    assert not (tmp_path / "s" / "cells").exists()


@pytest.mark.parametrize(
    ("threads", "options", "busy", "most"),
    [
        (1, {}, False, 4),
        (2, {}, False, 2),
        (8, {}, False, 1),
        (1, {}, True, 1),
        (1, {"ray": "local"}, False, 1),
        (1, {"shard": Shard(1, 2)}, False, 1),
    ],
)
def test_the_cells_that_a_machine_can_train_at_a_time(
    make_survey: MakeSurvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads, options, busy, most
):
    monkeypatch.setattr("audiosurvey.surveys.dry_run.cpu_count", lambda: 4)
    monkeypatch.setattr("audiosurvey.surveys.dry_run.others_are_busy", lambda: busy)
    path = make_survey("device: cpu", f"threads: {threads}", configs="configs: [net.yaml]")
    assert open_survey(path, SurveyOptions(tmp_path / "s", **options)).forecast(no_bar).most_slots == most


def test_a_dry_run_leaves_the_plan_of_others(make_survey: MakeSurvey, tmp_path: Path):
    run(make_survey("folds: [1]"), tmp_path / "s")
    before = (tmp_path / "s" / "plan.json").read_bytes(), (tmp_path / "s" / "survey.yaml").read_bytes()
    assert open_survey(make_survey(), SurveyOptions(tmp_path / "s")).forecast(no_bar).cells == 6
    assert before == ((tmp_path / "s" / "plan.json").read_bytes(), (tmp_path / "s" / "survey.yaml").read_bytes())
    # What was measured is kept.
    opened = open_survey(make_survey("budget: {seconds: 1}"), SurveyOptions(tmp_path / "s"))
    stored = json.loads((tmp_path / "s" / "plan.json").read_text())
    assert sorted(stored["epochs"].values()) == sorted({cell.row: cell.epochs for cell in opened.plan.cells}.values())
    assert stored["cells"] == json.loads(before[0])["cells"]


def test_a_final_model_of_a_row(make_survey: MakeSurvey, tmp_path: Path, tones: Path):
    path = make_survey()
    run(path, tmp_path / "s")
    with pytest.raises(UserError, match=r"no such row .*; its rows are net, wide$"):
        train_final(tmp_path / "s", "wid")
    trained = train_final(tmp_path / "s", "wide")
    from audiosurvey import load

    assert trained.results.done == [1, 2, 3]
    assert set(load(trained.path).predict(tones / "low" / "0.wav")) == {"low", "mid", "high", "noise"}
    # The folds of the row are not trained again, and the survey is as complete as before.
    assert run(path, tmp_path / "s")[1] == []


def test_a_final_model_of_a_row_with_the_name_of_a_run(make_survey: MakeSurvey, tmp_path: Path):
    configs = "configs: [net.yaml, {config: net.yaml, name: net-seed0, set: {train.lr: 0.5}}]"
    open_survey(make_survey("folds: [1]", configs=configs), SurveyOptions(tmp_path / "s")).train()
    with pytest.raises(
        ArgumentError, match="is a row, and also seed 0 of net; give net-seed0-seed0 for the row, or an"
    ):
        train_final(tmp_path / "s", "net-seed0")
    assert final_run(tmp_path / "s", "net-seed0-seed0").path.name == "net-seed0-seed0"
    assert final_run(tmp_path / "s", "net").path.name == "net-seed0"


def test_a_final_model_is_trained_with_the_threads_of_the_survey(make_survey: MakeSurvey, tmp_path: Path):
    class Notes(TrainListener):
        def planned(self, plan, notes) -> None:
            found.append((torch.get_num_threads(), list(notes)))

    found: list[tuple[int, list[str]]] = []
    run(make_survey("folds: [1]", "threads: 2", configs="configs: [net.yaml]"), tmp_path / "s")
    with threads(1):
        train_final(tmp_path / "s", "net", Notes())
    assert found == [(2, [])]


def test_a_final_model_needs_the_run_of_all_folds(make_survey: MakeSurvey, tmp_path: Path):
    """It is made after a cell is done; a kill may come between them, and anyone may remove it."""
    run(make_survey(configs="configs: [net.yaml]"), tmp_path / "s")
    ours = tmp_path / "s" / "runs" / "net-seed0"
    row = json.loads((ours / "row.json").read_text())
    del row["cells"]["3"]
    (ours / "row.json").write_text(json.dumps(row))
    shutil.rmtree(ours / "fold-3")
    with pytest.raises(UserError, match=r"net-seed0: missing or not up to date; run 'audiosurvey survey .*s', which"):
        train_final(tmp_path / "s", "net")
    shutil.rmtree(ours)
    with pytest.raises(UserError, match="net-seed0: missing or not up to date"):
        train_final(tmp_path / "s", "net")
    run(tmp_path / "s", tmp_path / "s")
    assert train_final(tmp_path / "s", "net").results.done == [1, 2, 3]


def test_a_final_model_where_clips_are_longer_than_a_window_and_no_models_were_kept(
    make_survey: MakeSurvey, tmp_path: Path
):
    path = make_survey(configs="configs: [net.yaml]")
    path.write_text(path.read_text().replace("clip_seconds: 0.5", "clip_seconds: 0.2"), encoding="utf-8")
    run(path, tmp_path / "s")
    model = train_final(tmp_path / "s", "net").path
    fitted_on = json.loads((model / "model.json").read_text())["calibration"]["fitted_on"]
    assert fitted_on.endswith("; for long clips only the scores of whole clips, because the fold models were not kept")


def test_not_a_survey_folder(make_survey: MakeSurvey, tmp_path: Path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").touch()
    with pytest.raises(UserError, match="contains something other than a survey; give another run_dir"):
        run(make_survey(), tmp_path / "s")
    with pytest.raises(UserError, match=r"is not a survey folder \(no plan.json in it\)"):
        survey_status(tmp_path / "s")
