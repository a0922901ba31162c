"""Each fold's result is a file of its own; results.json follows from these files, whoever trained the folds."""

import csv
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measured import without_measured

from audiosurvey.runs.executors import inline
from audiosurvey.runs.job import FoldJob
from audiosurvey.runs.results.run_folder import RunFolder

Train = Callable[..., dict[str, Any]]
Command = Callable[..., tuple[int, str, str]]
ONE = "train.epochs=1"


def stored(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "runs" / "run"))


def test_a_fold_has_its_results_in_the_form_of_results_json(run: Path):
    whole = stored(run / "results.json")
    for row in whole["folds"]:
        alone = stored(run / f"fold-{row['fold']}" / "result.json")
        assert alone["folds"] == [row]
        assert alone.keys() == whole.keys()
        assert (alone["config"], alone["dataset"]) == (whole["config"], whole["dataset"])
        assert sum(map(sum, alone["confusion"])) == row["clips"]


@pytest.mark.parametrize("command_line", ["evaluate", "runs", "merge", "train"])
def test_a_missing_results_json_is_made_again(
    run: Path, tmp_path: Path, command: Command, train_tiny: Train, command_line: str
):
    before = (run / "results.json").read_bytes()
    (run / "results.json").unlink()
    if command_line == "evaluate":
        assert command("evaluate", run, "--device", "cpu")[0] == 0
    elif command_line == "runs":
        (row,) = [line for line in command("runs", run.parent)[1].splitlines() if " 0." in line]
        assert "3 of 3" in row
    elif command_line == "merge":
        assert "fold 1 is also in" in command("merge", run, run)[2]
    else:
        train_tiny(run, "train.epochs=6", "tracking=[tensorboard]", resume=True)
    assert json.loads((run / "results.json").read_bytes()) == json.loads(before)


def test_folds_that_others_recorded_meanwhile_are_kept(tmp_path: Path, train_tiny: Train, monkeypatch):
    """Another process, which does not see the lock, records fold 2 and its own results.json while fold 1 trains."""
    train_tiny(tmp_path / "whole", ONE)
    train_tiny(tmp_path / "other", ONE, folds=[2])
    true_run = inline.run_job

    def with_another(job: FoldJob, *others: Any) -> Any:
        result = true_run(job, *others)
        shutil.copytree(tmp_path / "other" / "fold-2", tmp_path / "run" / "fold-2")
        shutil.copy(tmp_path / "other" / "results.json", tmp_path / "run" / "results.json")
        return result

    monkeypatch.setattr(inline, "run_job", with_another)
    train_tiny(tmp_path / "run", ONE, folds=[1])
    found, whole = stored(tmp_path / "run" / "results.json"), stored(tmp_path / "whole" / "results.json")
    assert [row["fold"] for row in found["folds"]] == [1, 2]
    for one, other in zip(found["folds"], whole["folds"], strict=False):
        assert without_measured(one) == without_measured(other)
    assert sum(map(sum, found["confusion"])) == 16


def test_folds_of_an_earlier_version_stand_in_results_json_alone(run: Path):
    whole = stored(run / "results.json")
    for fold in (1, 3):
        (run / f"fold-{fold}" / "result.json").unlink()
    found = RunFolder(run).read_results()
    assert found is not None
    assert found.as_json() == whole
    first = {"folds": whole["folds"][:1], "confusion": np.diag([2, 2, 2, 2]).tolist()}
    (run / "results.json").write_text(json.dumps(whole | first), encoding="utf-8")
    found = RunFolder(run).read_results()
    assert found is not None
    assert found.done == [1, 2]
    assert sum(map(sum, found.confusion or [])) == 16


def test_the_final_model_is_known_without_results_json(final_run: Path, tmp_path: Path):
    run = Path(shutil.copytree(final_run, tmp_path / "run"))
    wanted = stored(run / "results.json")["final"]
    (run / "results.json").unlink()
    found = RunFolder(run).read_results()
    assert found is not None
    assert found.as_json()["final"] == wanted == stored(run / "final" / "result.json")


def test_a_damaged_result_of_a_fold_is_one_line_with_the_remedy(run: Path, command: Command):
    path = run / "fold-2" / "result.json"
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    status, _, err = command("evaluate", run, "--device", "cpu")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"{path}: damaged, not JSON; remove {path.as_posix()}, and 'audiosurvey train ")


def test_a_job_is_plain_data(tmp_path: Path, train_tiny: Train, monkeypatch):
    jobs: list[FoldJob] = []
    true_run = inline.run_job

    def pickled(job: FoldJob, *others: Any) -> Any:
        jobs.append(pickle.loads(pickle.dumps(job)))
        assert jobs[-1] == job
        return true_run(jobs[-1], *others)

    monkeypatch.setattr(inline, "run_job", pickled)
    results = train_tiny(tmp_path / "run", ONE, folds=[1])
    (job,) = jobs
    assert (job.fold, job.run.path, job.about.folds) == (1, tmp_path / "run", [])
    assert job.about.dataset.hash == results["dataset"]["hash"]


def test_predictions_name_the_recording_of_each_clip(tmp_path: Path, train_tiny: Train, tones: Path):
    rows = ["path,label,fold,source"]
    rows += [
        f"{tones.as_posix()}/{name}/{n}.wav,{name},{n % 2 + 1},{name}-{n}" for name in ("low", "high") for n in range(6)
    ]
    table = tmp_path / "sources.csv"  # not among the tones, which are taken for a folder of classes
    table.write_text("\n".join(rows), encoding="utf-8")
    dataset = f"dataset={{name: csv, table: '{table.as_posix()}', clip_seconds: 0.5}}"
    train_tiny(tmp_path / "run", dataset, ONE, folds=[1])
    with (tmp_path / "run" / "fold-1" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        found = {
            Path(row["clip"]).parent.name + "-" + Path(row["clip"]).stem: row["source"] for row in csv.DictReader(file)
        }
    assert found == {f"{name}-{n}": f"{name}-{n}" for name in ("low", "high") for n in (0, 2, 4)}
