"""Differences from presets, costs, and the command that repeats a run."""

import shlex
from pathlib import Path

import pytest

from audiosurvey.config.loader import load_config
from audiosurvey.report.page.facts import command, costs, differences, machine
from audiosurvey.runs.results.run_folder import RunFolder


@pytest.mark.parametrize("preset", ["small", "mn04", "esc50"])
def test_the_preset_itself_has_no_differences(preset: str):
    found = differences(load_config(preset, ["dataset.root=/elsewhere"]).config)
    assert (found.preset, found.rows) == (preset, [])


def test_the_nearest_preset_is_found():
    found = differences(load_config("tiny", ["train.epochs=7"]).config)
    assert found.preset == "tiny"
    assert ("train.epochs", "60", "7") in found.rows
    # The one that is named, whatever is nearest.
    named = differences(load_config("tiny").config, "small")
    assert named.preset == "small"
    assert "model.blocks" in [key for key, _, _ in named.rows]


def test_the_command_trains_the_same_folds(finished_run: Path):
    run = RunFolder(finished_run)
    results = run.read_results()
    assert results is not None
    environment = {"jobs": 2, "torch_threads": 4, "device": "cuda"}
    words = shlex.split(command(run, results.changed(folds=results.folds[:2]), environment))
    assert words[:2] == ["audiosurvey", "train"]
    assert words[2] == run.config_path.as_posix()
    assert words[5:] == ["--folds", "1,2", "--jobs", "2", "--threads", "4", "--device", "cuda"]
    assert "--folds" not in command(run, results, {})


def test_costs_are_those_of_the_run(finished_run: Path):
    run = RunFolder(finished_run)
    results = run.read_results()
    assert results is not None
    rows = dict(costs(run, results, {"host": "box", "processors": 1, "torch_threads": 2, "device": "cpu"}))
    assert rows["parameters"] == f"{results.parameters:,}"
    assert rows["machine"] == "box: 1 processor, 2 threads, cpu"
    assert rows["epochs per fold"] == "6"
    assert rows["weights of one model"].endswith("kB")
    assert machine({"device": "cuda", "devices": ["H200"]}) == "unknown: H200"
