"""Reproductions: equal, reproduced or different; interrupted; on other data."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audiosurvey.errors import UserError
from audiosurvey.reproduction.record import ReproduceOptions, read_record
from audiosurvey.reproduction.reproduce import reproduce
from audiosurvey.reproduction.verdict import judge
from audiosurvey.reproduction.wording import verdict_line
from audiosurvey.runs.results.row import SurveyRow, write_row
from audiosurvey.runs.results.stored import write_json


@pytest.fixture(scope="module")
def recorded(train_tiny: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three folds in one thread. For reading only."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "run")
    return folder / "run"


def test_a_run_is_equal_to_the_last_digit(recorded: Path, tmp_path: Path, command):
    status, out, err = command("reproduce", recorded, "--run-dir", tmp_path / "new", "--device", "cpu")
    assert status == 0
    assert out.splitlines()[-1] == "equal to the last digit"
    assert "nothing that results depend on differs from the recorded run" in err
    assert (tmp_path / "new/results.json").exists()


def test_a_file_of_results_and_a_part_of_the_folds(recorded: Path, tmp_path: Path, command):
    words = ("reproduce", recorded / "results.json", "--run-dir", tmp_path / "new", "--folds", "2", "--device", "cpu")
    status, out, err = command(*words, "--threads", "1")
    assert status == 0
    assert out.splitlines()[-1] == "equal to the last digit (1 of the 3 recorded folds)"
    assert "packages and processor: not recorded" in err
    assert "threads of fold 2: not recorded, now 1" in err
    found = json.loads(command(*words, "--threads", "1", "--json")[1])
    assert found["verdict"] == "equal"
    assert [fold["fold"] for fold in found["folds"]] == [2]


def test_an_interrupted_reproduction_goes_on(recorded: Path, tmp_path: Path, killed_after_checkpoint, monkeypatch):
    options = ReproduceOptions(tmp_path / "new", device="cpu")
    with killed_after_checkpoint(lambda trainer: trainer.state.epoch == 1):
        reproduce(recorded, (), options)
    before = (tmp_path / "new/environment.json").stat().st_mtime_ns
    assert reproduce(recorded, (), options).verdict == "equal"
    assert (tmp_path / "new/environment.json").stat().st_mtime_ns == before
    # Once it has ended, nothing is trained again.
    monkeypatch.setattr("audiosurvey.training.loop.Trainer.run", None)
    assert reproduce(recorded, (), options).verdict == "equal"


def other_results(recorded: Path, folder: Path, **changes: float) -> Path:
    """A copy of a run whose folds have other accuracies."""
    run = Path(shutil.copytree(recorded, folder))
    (run / "results.json").unlink()
    for number, difference in changes.items():
        path = run / f"fold-{number[-1]}/result.json"
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored["folds"][0]["accuracy"] += difference
        write_json(path, stored)
    return run


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "equal to the last digit"),
        ({"f1": 0.02}, "reproduced: mean difference of the folds +0.67 points, within one point"),
        ({"f1": 0.1, "f2": -0.1}, "reproduced: mean difference of the folds +0.00 points, within one point"),
        (
            {"f1": -0.125, "f3": 0.025},
            "different: mean difference of the folds -3.33 points, more than one point: fold 1 -12.50, fold 2 +0.00, "
            "fold 3 +2.50",
        ),
    ],
)
def test_verdicts(recorded: Path, tmp_path: Path, changes: dict[str, float], line: str):
    run = other_results(recorded, tmp_path / "new", **changes)
    found = judge(read_record(recorded), run, read_record(run).results, [])
    assert verdict_line(found) == line


def test_one_other_score_is_not_equal(recorded: Path, tmp_path: Path):
    run = other_results(recorded, tmp_path / "new")
    path = run / "fold-3/predictions.csv"
    head, rest = path.read_text(encoding="utf-8").rsplit(",", 1)
    path.write_text(f"{head},{float(rest) + 1e-6:.9g}\n", encoding="utf-8")
    found = judge(read_record(recorded), run, read_record(run).results, [])
    assert found.verdict == "reproduced"
    assert [fold.equal for fold in found.folds] == [True, True, False]


def test_seeds_widen_the_tolerance(recorded: Path, tmp_path: Path):
    first = other_results(recorded, tmp_path / "a-seed0")
    second = other_results(recorded, tmp_path / "a-seed1", f1=0.12)
    for seed, run in enumerate((first, second)):
        write_row(run, SurveyRow(name="a", config="a", seed=seed))
    run = other_results(recorded, tmp_path / "new", f1=-0.12)
    found = judge(read_record(first), run, read_record(run).results, [])
    # Seeds differ by 4 points on average: their standard deviation is 2.83 points.
    assert found.tolerance == pytest.approx(2 * 0.04 / 2**0.5)
    assert verdict_line(found) == (
        "reproduced: mean difference of the folds -4.00 points, within 5.66 points (two standard deviations over 2 "
        "seeds)"
    )


def test_a_different_result_has_exit_status_1(recorded: Path, tmp_path: Path, command):
    better = other_results(recorded, tmp_path / "better", f1=-0.5)
    shutil.copytree(recorded, tmp_path / "new")
    status, out, _ = command("reproduce", better, "--run-dir", tmp_path / "new", "--device", "cpu")
    assert status == 1
    assert out.splitlines()[-1].startswith("different: mean difference of the folds +16.67 points")


def test_what_differs_is_said(recorded: Path, tmp_path: Path):
    run = Path(shutil.copytree(recorded, tmp_path / "old"))
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    environment |= {"cpu_capability": "ABACUS", "torch_threads": 3}
    environment["packages"]["torch"] = "0.1"
    write_json(run / "environment.json", environment)
    shutil.copytree(recorded, tmp_path / "new")
    options = ReproduceOptions(tmp_path / "new", threads=1, device="cpu")
    found = {one.what: (one.recorded, one.now) for one in reproduce(run, (), options).differences}
    assert found.keys() == {"instruction set", "torch", "threads of each fold"}
    assert found["threads of each fold"] == (3, 1)
    assert found["instruction set"][0] == "ABACUS"


def test_other_data_is_refused(recorded: Path, tones: Path, tmp_path: Path):
    fewer = Path(shutil.copytree(tones, tmp_path / "fewer"))
    (fewer / "low/3.wav").unlink()
    options = ReproduceOptions(tmp_path / "new", device="cpu")
    with pytest.raises(UserError, match=r"not the data of .*; set dataset.root to its place"):
        reproduce(recorded, [f"dataset.root={fewer.as_posix()}"], options)
    shutil.rmtree(fewer / "low")
    with pytest.raises(UserError, match="because it has other classes"):
        reproduce(recorded, [f"dataset.root={fewer.as_posix()}"], options)
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_not_there(command, tmp_path: Path):
    status, _, err = command("reproduce", tmp_path / "nowhere.json")
    assert status == 2
    assert err.count("\n") == 1
    assert "no such file or folder; give a run folder with results, or a results.json file" in err


@pytest.mark.slow
def test_the_toy_run_is_equal_to_the_last_digit(tmp_path: Path, command):
    words = ("--run-dir", tmp_path / "run", "--folds", "1,2", "--set", "train.epochs=3", "--device", "cpu")
    assert command("train", "toy", *words)[0] == 0
    status, out, _ = command("reproduce", tmp_path / "run", "--run-dir", tmp_path / "again", "--device", "cpu")
    assert (status, out.splitlines()[-1]) == (0, "equal to the last digit")


def test_a_damaged_record_is_reported_before_anything_is_trained(recorded: Path, tmp_path: Path):
    run = Path(shutil.copytree(recorded, tmp_path / "old"))
    path = run / "fold-2" / "predictions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("0.", "zero."), encoding="utf-8")
    with pytest.raises(UserError, match=r"predictions\.csv: damaged .*; restore a copy of it"):
        reproduce(run, [], ReproduceOptions(tmp_path / "new", device="cpu"))
    assert not (tmp_path / "new").exists()


def test_folds_that_were_not_asked_for_do_not_count(recorded: Path, tmp_path: Path):
    record, new = read_record(recorded), read_record(other_results(recorded, tmp_path / "new", f1=-0.5))
    assert [fold.fold for fold in judge(record, new.path, new.results, [], [2, 3]).folds] == [2, 3]
    assert judge(record, new.path, new.results, [], [2, 3]).verdict == "equal"
