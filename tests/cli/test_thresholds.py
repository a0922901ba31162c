"""`predict --threshold` on exclusive classes: the best class or `unknown` in every format, never another one."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.folder import _digest

Command = Callable[..., tuple[int, str, str]]


def with_thresholds(model: Path, folder: Path, thresholds: dict[str, float]) -> Path:
    """A copy of a model that says so of its thresholds."""
    shutil.copytree(model, folder)
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    facts |= {"thresholds": thresholds, "sound_thresholds": thresholds}
    facts["sha256"]["model.json"] = _digest(facts)
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


@pytest.fixture
def sound(tmp_path: Path, tones: Path) -> Path:
    """40 s of one tone."""
    wave, rate = soundfile.read(tones / "low" / "0.wav", dtype="int16")
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(wave, 80), rate)
    return path


def labels(out: str, format: str) -> list[str]:
    """All labels that are named, further ones of an answer included."""
    if format == "json":
        found = [list(row.get("labels", {row["label"]: 0})) for row in json.loads(out)["results"]]
        return [label for row in found for label in row]
    if format == "csv":
        rows = csv.DictReader(io.StringIO(out))
        return [value for row in rows for name, value in row.items() if name.startswith("label") and value]
    if format == "audacity":
        return [part.rsplit(" ", 1)[0] for line in out.splitlines() for part in line.split("\t")[2].split(", ")]
    words = [line.split() for line in out.splitlines() if not line.endswith(":")]
    return [word for line in words for word in line if word in ("high", "low", "mid", "noise", "unknown")]


@pytest.mark.parametrize(("format", "top"), [("table", 1), ("csv", 3), ("json", 3), ("audacity", 3)])
@pytest.mark.parametrize("passes", [True, False])
def test_the_best_class_or_unknown(
    command: Command, finished_run: Path, sound: Path, tmp_path: Path, format: str, top: int, passes: bool
):
    model = finished_run / "fold-1" / "model"
    best, score = next(iter(audiosurvey.load(model).predict(sound).items()))
    # Every other class would pass.
    own = dict.fromkeys(("high", "low", "mid", "noise"), 0.0) | {best: score / 2 if passes else 1.0}
    changed = with_thresholds(model, tmp_path / "model", own)
    expected = best if passes else "unknown"
    words = ("--threshold", "model", "--format", format, "--top", top)
    status, out, _ = command("predict", changed, sound, "--whole", *words)
    assert (status, labels(out, format)) == (0, [expected])
    status, out, _ = command("predict", changed, sound, "--no-events", *words)
    assert status == 0
    assert set(labels(out, format)) == {expected}
    status, out, err = command("predict", changed, sound, "--events", *words)
    assert status == 0
    assert err.splitlines()[0] == "windows of 0.5 s every 0.25 s; events from the model's own threshold of each class"
    assert set(labels(out, format)) == ({best} if passes else set())
    loaded = audiosurvey.load(changed)
    assert loaded.decide(sound) == [expected]
    assert loaded.decide([sound, sound], threshold=0.0) == [[best], [best]]


def test_without_a_threshold_the_ranking_is_given(command: Command, finished_run: Path, sound: Path):
    model = finished_run / "fold-1" / "model"
    _, out, _ = command("predict", model, sound, "--whole", "--format", "csv", "--top", 3)
    assert labels(out, "csv") == list(audiosurvey.load(model).predict(sound))[:3]
