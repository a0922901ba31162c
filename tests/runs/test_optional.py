"""Pictures and trackers are what a run can do without; odd names cost no fold."""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from audiosurvey.reporting import listener
from audiosurvey.runs.optional import optional
from audiosurvey.runs.results.tracking import LOGGER_TYPE_TO_CLASS, Tracking

Command = Callable[..., tuple[int, str, str]]


def broken(*_: Any, **__: Any) -> Any:
    raise ValueError("no such\nfont")


def test_an_error_becomes_one_line():
    said: list[str] = []
    with optional("curves.png", said.append):
        broken()
    assert said == ["curves.png: ValueError: no such font; the run continues without it"]
    with pytest.raises(KeyboardInterrupt), optional("curves.png", said.append):
        raise KeyboardInterrupt


@pytest.mark.parametrize("picture", ["confusion_of", "curves_of", "draw_batch"])
def test_no_picture_ends_a_run(
    picture: str,
    train_tiny: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(listener, picture, broken)
    results = train_tiny(tmp_path / "run", "tracking=[tensorboard]", "train.epochs=1", folds=[1])
    assert json.loads((tmp_path / "run" / "results.json").read_text())["folds"] == results["folds"]
    assert "ValueError: no such font; the run continues without it" in caplog.text


@pytest.mark.parametrize("method", ["start", "log", "log_images", "finish"])
def test_no_tracker_ends_a_run(
    method: str,
    train_tiny: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(LOGGER_TYPE_TO_CLASS["tensorboard"], method, broken)
    results = train_tiny(tmp_path / "run", "tracking=[tensorboard]", "train.epochs=2", folds=[1])
    assert len(results["folds"]) == 1
    err = caplog.text
    assert err.count("tracker tensorboard: ValueError: no such font; the run continues without it") == 1


def test_the_hook_of_threads_is_put_back(tmp_path: Path):
    before = threading.excepthook
    tracking = Tracking(["tensorboard"], tmp_path, "run", {})
    assert threading.excepthook is not before
    tracking.close()
    assert threading.excepthook is before


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names on this system are always text")
def test_names_that_are_not_utf8_are_escaped_before_training(
    tiny_yaml: str, tones: Path, tmp_path: Path, command: Command
):
    root = tmp_path / os.fsdecode(b"d\xe9")
    for number, name in enumerate([b"caf\xe9", b"$x_$", b"plain"]):
        (root / os.fsdecode(name)).mkdir(parents=True)
        for clip in range(3):
            wave, rate = soundfile.read(tones / ("low", "mid", "high")[number] / f"{clip}.wav")
            soundfile.write(str(tmp_path / "a.wav"), wave, rate)
            (tmp_path / "a.wav").rename(root / os.fsdecode(name) / os.fsdecode(b"\xff%d$.wav" % clip))
    (tmp_path / "c.yaml").write_text(tiny_yaml.replace(tones.as_posix(), "data"))
    os.chdir(tmp_path)
    (tmp_path / "data").symlink_to(root)
    words = ("train", "c.yaml", "--run-dir", "run", "--device", "cpu", "--set", "tracking=[tensorboard]")
    status, _, err = command(*words)
    assert status == 0, err
    assert "Traceback" not in err
    assert "the run continues without" not in err
    assert "not valid UTF-8" in err
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert results["classes"] == ["$x_$", r"caf\xe9", "plain"]
    assert len(results["folds"]) == 3
    assert r"caf\xe9/\xff0$.wav" in (tmp_path / "run" / "fold-1" / "predictions.csv").read_text(encoding="utf-8") + (
        tmp_path / "run" / "fold-2" / "predictions.csv"
    ).read_text(encoding="utf-8") + (tmp_path / "run" / "fold-3" / "predictions.csv").read_text(encoding="utf-8")
