"""`dataset.title` is what a reader sees, everywhere."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from audiosurvey.config.loader import load_text
from audiosurvey.errors import UserError


def test_a_run_is_called_by_its_title(tiny_yaml: str, tmp_path: Path, command: Callable[..., tuple[int, str, str]]):
    config = tmp_path / "my.yaml"
    config.write_text(tiny_yaml.replace("name: folder,", "name: folder, title: Four tones,"), encoding="utf-8")
    run = tmp_path / "run"
    status, out, err = command("train", config, "--run-dir", run, "--folds", "1", "--final", "--set", "train.epochs=1")
    assert status == 0, err
    assert "data: Four tones, 24 clips" in err
    assert out.startswith("Four tones, 4 classes")
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert (results["dataset"]["name"], results["dataset"]["title"]) == ("folder", "Four tones")
    _, out, _ = command("runs", tmp_path, "--json")
    assert json.loads(out)[0]["dataset"] == "Four tones"
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert "audiosurvey-Four-tones" in card
    assert "name: Four tones" in card
    _, out, _ = command("compare", run)
    assert "Four tones: " in out


def test_runs_under_another_title_are_one_experiment(
    tiny_yaml: str, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
):
    config = tmp_path / "my.yaml"
    config.write_text(tiny_yaml, encoding="utf-8")
    for fold, title in ((1, "One"), (2, "Other")):
        words = ("--set", f"dataset.title={title}", "--set", "train.epochs=1")
        status, _, err = command("train", config, "--run-dir", tmp_path / f"{fold}", "--folds", fold, *words)
        assert status == 0, err
    status, _, err = command("merge", tmp_path / "1", tmp_path / "2")
    assert status == 0, err


def test_published_sets_have_a_name():
    with pytest.raises(UserError, match=r"dataset.title: applies to name: folder or csv or raven, not to esc50"):
        load_text("dataset: {name: esc50, title: mine}\n", "c")
