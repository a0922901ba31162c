"""A config, a run folder and a model folder that an earlier version wrote still load, resume and score the same."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audiosurvey

Command = Callable[..., tuple[int, str, str]]
EARLIER = Path(__file__).resolve().parent / "fixtures" / "earlier"
CLOSE = {"abs": 2e-3}
"""Sums are rounded differently on different processors, which six epochs of training amplify."""


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """A run of two folds that was killed after the third epoch of its second."""
    monkeypatch.chdir(tmp_path)  # the toy data set is made there
    return Path(shutil.copytree(EARLIER / "run", tmp_path / "runs" / "toy"))


def expected(fold: int) -> dict[str, Any]:
    """The row of results.json after an unbroken run of the version that wrote the run folder."""
    return json.loads((EARLIER / "expected.json").read_text(encoding="utf-8"))["folds"][str(fold)]


def probabilities(path: Path) -> dict[str, list[float]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["clip"]: [float(row[name]) for name in row if name.startswith("p:")] for row in rows}


def test_an_interrupted_run_goes_on_to_the_results_of_an_unbroken_one(run, command: Command):
    """The checkpoint, the results so far, the data hash and the draws of augmentation are all as they were."""
    status, _, err = command(
        "train", EARLIER / "config.yaml", "--run-dir", run, "--folds", "1,2", "--resume", "--device", "cpu"
    )
    assert status == 0, err
    assert "folds to train: 2" in err
    assert "epoch 3/6" not in err
    rows = json.loads((run / "results.json").read_text(encoding="utf-8"))["folds"]
    for row in rows:
        wanted = expected(row["fold"])
        assert {name: row[name] for name in wanted} == pytest.approx(wanted, **CLOSE)
    found = probabilities(run / "fold-2" / "predictions.csv")
    wanted = probabilities(EARLIER / "predictions-2.csv")
    assert found.keys() == wanted.keys()
    for clip in wanted:
        assert found[clip] == pytest.approx(wanted[clip], **CLOSE)


def test_a_finished_fold_is_evaluated_to_its_own_scores(run, command: Command):
    status, out, err = command("evaluate", run, "--device", "cpu", "--json")
    assert status == 0, err
    (row,) = json.loads(out)["folds"]
    for name in ("accuracy", "auroc", "loss"):
        assert row[name] == pytest.approx(expected(1)[name], abs=1e-5)


def chirp() -> np.ndarray:
    """One second at 8 kHz, from 400 to 1600 Hz."""
    seconds = np.arange(8000) / 8000
    return (0.3 * np.sin(2 * np.pi * (400 * seconds + 600 * seconds**2))).astype(np.float32)


def test_a_model_folder_gives_the_scores_that_it_gave(run):
    wanted = json.loads((EARLIER / "expected.json").read_text(encoding="utf-8"))["chirp"]
    assert audiosurvey.load(run / "fold-1" / "model").predict(chirp()) == pytest.approx(wanted, abs=1e-5)


def test_it_is_listed_with_its_score(run, command: Command):
    status, out, err = command("runs", run.parent, "--json")
    assert status == 0, err
    (row,) = json.loads(out)
    assert row["mean"]["accuracy"] == pytest.approx(expected(1)["accuracy"])
