"""The list of runs: every run folder below a folder, and nothing else."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from audiosurvey.reporting.summary import print_runs
from audiosurvey.runs.listing import list_runs


def test_runs_and_what_they_found(finished_run: Path):
    (run,) = list_runs(finished_run.parent, pytest.fail)
    told = run.as_json()
    assert told["folds"] == [1, 2, 3]
    assert told["dataset"] == "folder"
    assert told["final"] == (finished_run / "model" / "model.json").exists()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told["begun"])
    assert told["mean"]["accuracy"] == json.loads((finished_run / "results.json").read_text())["mean"]["accuracy"]
    assert told["caveats"] == ["own folds; there is no official protocol for this data"]


def test_a_run_without_a_fold_and_what_is_no_run(tmp_path: Path, finished_run: Path):
    begun = tmp_path / "deep" / "begun"
    begun.mkdir(parents=True)
    (begun / "config.yaml").write_bytes((finished_run / "config.yaml").read_bytes())
    (begun / "environment.json").write_text("{}")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.yaml").write_text("[")
    (tmp_path / "broken" / "environment.json").write_text("{}")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "config.yaml").write_text("[")
    said: list[str] = []
    (run,) = list_runs(tmp_path, said.append)
    assert run.as_json()["folds"] == []
    assert run.as_json()["mean"] == {}
    assert said == [
        f"{tmp_path / 'broken' / 'config.yaml'}: damaged, not the config of a run; restore a copy of it",
    ]


@pytest.mark.parametrize(
    ("blocks", "shown"),
    [
        ([{"input": "wave"}, {"encoder": {"hub": None, "file": "models/birdnet.tflite"}}], "birdnet.tflite"),
        ([{"input": "wave"}, {"encoder": {"hub": "user/name"}}, {"fc": 16}], "user/name"),
        ([{"pool": "mean"}, "norm"], "2 blocks"),
    ],
)
def test_networks_without_a_preset(tmp_path: Path, finished_run: Path, blocks: list[object], shown: str):
    config = yaml.safe_load((finished_run / "config.yaml").read_text())
    config["model"] |= {"preset": None, "blocks": blocks}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "run" / "environment.json").write_text("{}")
    (run,) = list_runs(tmp_path, pytest.fail)
    assert run.as_json()["model"] == shown
    width = io.StringIO()
    print_runs([replace(run, model="BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite")], Console(file=width, width=200))
    assert " BirdNET_GLOBAL_6K_V… " in width.getvalue()


def test_on_the_command_line(
    finished_run: Path, command: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = command("runs", finished_run.parent)
    assert status == 0
    assert "3 of 3" in out
    status, out, _ = command("runs", finished_run.parent, "--json")
    assert [run["folds"] for run in json.loads(out)] == [[1, 2, 3]]
    status, out, _ = command("runs", tmp_path)
    assert (status, out) == (0, f"{tmp_path}: no runs in it\n")
    status, _, err = command("runs", tmp_path / "missing")
    assert status == 2
    assert "no such folder" in err


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"schema": 7}'])
def test_runs_that_cannot_be_read_are_named(
    finished_run: Path, command: Callable[..., tuple[int, str, str]], tmp_path: Path, damage: str
):
    for name in ("broken", "whole"):
        (tmp_path / name).mkdir()
        for file in ("config.yaml", "environment.json", "results.json"):
            (tmp_path / name / file).write_bytes((finished_run / file).read_bytes())
    (tmp_path / "broken" / "results.json").write_text(damage)
    status, out, err = command("runs", tmp_path, "--json")
    assert status == 0
    assert [Path(run["run"]).name for run in json.loads(out)] == ["whole"]
    assert err.startswith(f"left out: {tmp_path / 'broken' / 'results.json'}: ")
    assert err.count("\n") == 1
    (tmp_path / "whole" / "config.yaml").write_text("- 1")
    status, out, err = command("runs", tmp_path)
    assert (status, out) == (0, f"{tmp_path}: no runs in it that can be read\n")
    assert [line.split(":")[0] for line in err.splitlines()] == ["left out"] * 2
