"""Training from Python: as the command trains, silent, interrupted and continued, and without traces in the process."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import audiosurvey
from audiosurvey import Progress, Run, UserError

Command = Callable[..., tuple[int, str, str]]


def scores(run: Run) -> list[Any]:
    """Everything of the results that does not depend on time."""
    rows = [row.as_json() for row in run.results.folds]
    timeless = [{name: value for name, value in row.items() if name not in TIMES} for row in rows]
    return [timeless, run.results.confusion, run.predictions().scores_NK.tolist()]


def written(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if "events.out" not in file.name)


TIMES = ("seconds", "peak_memory_mb", "energy_wh")


@pytest.fixture
def config(tiny_yaml: str) -> dict[str, Any]:
    return yaml.safe_load(tiny_yaml)


def test_train_is_the_command(
    config: dict[str, Any], tiny_yaml: str, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "net.yaml").write_text(tiny_yaml, encoding="utf-8")
    assert command("train", tmp_path / "net.yaml", "--run-dir", tmp_path / "a", "--folds", "1,3")[0] == 0
    capsys.readouterr()
    run = audiosurvey.train(config, run_dir=tmp_path / "b", folds=[1, 3], threads=1)
    assert capsys.readouterr() == ("", "")
    assert scores(run) == scores(audiosurvey.open_run(tmp_path / "a"))
    assert written(run.path) == written(tmp_path / "a")


def test_a_callback_is_told_of_every_epoch(config: dict[str, Any], tmp_path: Path):
    told: list[Progress] = []
    audiosurvey.train(config, run_dir=tmp_path / "run", folds=2, threads=1, progress=told.append)
    epochs = [one for one in told if one.record]
    assert [(one.task, one.done, one.total) for one in epochs] == [("fold 2 of 3", 1, 2), ("fold 2 of 3", 2, 2)]
    assert epochs[0].record is not None
    assert epochs[0].record["train_loss"] > 0
    assert {"preparing folder", "fold 2 of 3"} == {one.task for one in told}


def test_an_interrupted_run_goes_on(config: dict[str, Any], tmp_path: Path):
    def interrupt(progress: Progress) -> None:
        if progress.record and progress.done == 2:
            raise KeyboardInterrupt

    whole = audiosurvey.train(config, run_dir=tmp_path / "whole", folds=1, threads=1)
    place = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        audiosurvey.train(config, run_dir=place, folds=1, threads=1, progress=interrupt)
    with pytest.raises(UserError, match="already exists; give resume=True"):
        audiosurvey.train(config, run_dir=place, folds=1, threads=1)
    assert scores(audiosurvey.train(config, run_dir=place, folds=1, threads=1, resume=True)) == scores(whole)


ALONE = """
import json, sys, audiosurvey
path, folder, seed, threads = sys.argv[1:]
audiosurvey.train(path, {"seed": int(seed)}, run_dir=folder, folds=1, threads=int(threads))
"""


def test_runs_after_each_other_are_as_runs_of_their_own(tiny_yaml: str, tmp_path: Path):
    (tmp_path / "net.yaml").write_text(tiny_yaml, encoding="utf-8")
    asked = [("0", "1"), ("5", "2")]
    before = torch.get_num_threads(), torch.get_rng_state()
    together = []
    for seed, number in asked:
        options: dict[str, Any] = {"run_dir": tmp_path / seed, "folds": 1, "threads": int(number)}
        together.append(audiosurvey.train(tmp_path / "net.yaml", {"seed": int(seed)}, **options))
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    for (seed, number), run in zip(asked, together, strict=True):
        alone = tmp_path / f"alone-{seed}"
        subprocess.run([sys.executable, "-c", ALONE, tmp_path / "net.yaml", alone, seed, number], check=True)
        assert scores(run) == scores(audiosurvey.open_run(alone))
    assert scores(together[0]) != scores(together[1])


def test_a_failed_call_leaves_the_process_as_it_was(config: dict[str, Any], tmp_path: Path):
    before = torch.get_num_threads(), torch.get_rng_state()
    with pytest.raises(ValueError, match="the loss is") as caught:
        audiosurvey.train(config, {"train.lr": 1e30}, run_dir=tmp_path / "run", threads=before[0] + 1)
    assert isinstance(caught.value, UserError)
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_mistakes_are_value_errors_with_a_line_each():
    with pytest.raises(ValueError, match="did you mean") as caught:
        audiosurvey.train({"trian": {"epochs": 1}}, {"train.lr": "fast"})
    assert isinstance(caught.value, UserError)
    assert caught.value.lines == (
        "config: trian: unknown key; did you mean train?",
        "overrides train.lr: 'fast' is not a number",
    )
    with pytest.raises(UserError, match="jobs=0: expected a whole number, at least 1"):
        audiosurvey.train("toy", jobs=0)
    with pytest.raises(UserError, match="folds='1,2': expected numbers of folds"):
        audiosurvey.train("toy", folds="1,2")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="resume=True: which run\\? give its run_dir"):
        audiosurvey.train("toy", resume=True)


def test_warnings_are_logged(config: dict[str, Any], caplog: pytest.LogCaptureFixture):
    audiosurvey.load_config(config, {"mel_spectrogram": {"n_mels": 16}})
    assert [record.levelname for record in caplog.records if record.name == "audiosurvey"] == ["WARNING"]


def test_reproduce_trains_again(finished_run: Path, tmp_path: Path):
    found = audiosurvey.reproduce(finished_run, {"dataset.store": tmp_path / "store"}, run_dir=tmp_path / "b", folds=2)
    assert found.verdict == "equal"
    assert json.loads((tmp_path / "b" / "results.json").read_text())["folds"][0]["fold"] == 2
