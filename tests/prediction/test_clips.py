"""`predict --clips`: events as files, from the prediction over corrected labels to training again."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.prediction import prediction

Command = Callable[..., tuple[int, str, str]]
RATE = 8000


@pytest.fixture
def model(finished_run: Path) -> Path:
    return finished_run / "fold-1" / "model"


@pytest.fixture
def field(tmp_path: Path, tones: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recordings of 40 s in two folders: ten seconds of each tone, then of noise."""
    for number, name in enumerate(("north/day", "north/night", "south/day")):
        path = tmp_path / "field" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = [soundfile.read(tones / kind / "0.wav", dtype="int16")[0] for kind in ("low", "mid", "high", "noise")]
        soundfile.write(path, np.concatenate([np.tile(part, 20) + number for part in parts]), RATE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    return tmp_path / "field"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


RECORDINGS = ("field/north/day.wav", "field/north/night.wav", "field/south/day.wav")
TRAINING = """\
dataset: {data}
tracking: []
train: {{epochs: 1, num_workers: 0}}
model: {{init: '{init}'}}
"""


def test_clips_are_listened_to_corrected_and_trained_on(
    command: Command, model: Path, field: Path, tmp_path: Path
) -> None:
    status, out, told = command("predict", model, "field", "--threshold", 0.3, "--clips", "clips")
    assert status == 0
    table = rows(tmp_path / "clips")
    events = [line for line in out.splitlines() if "peak" in line]
    assert len(table) == len(events) > 3
    assert told.splitlines()[-1].startswith(f"{len(table)} clips of ")
    assert told.splitlines()[-1].endswith(": clips/clips.csv")
    assert sorted(row["path"] for row in table) == sorted(path.name for path in tmp_path.glob("clips/*.wav"))
    assert tuple(dict.fromkeys(row["recording"] for row in table)) == RECORDINGS
    assert all(row["path"].startswith(row["recording"][6:-4].replace("/", "_") + "_00h00m") for row in table)

    # Other classes than those of the model are heard in the clips.
    with (tmp_path / "clips" / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        corrected = csv.DictWriter(file, list(table[0]))
        corrected.writeheader()
        corrected.writerows(row | {"label": "ab"[at % 2]} for at, row in enumerate(table))

    def train(data: str, init: Path, run: str) -> tuple[int, str]:
        (tmp_path / f"{run}.yaml").write_text(TRAINING.format(data=data, init=init.as_posix()), encoding="utf-8")
        status, _, told = command("train", f"{run}.yaml", "--run-dir", run, "--device", "cpu")
        return status, told

    clips = "{name: csv, root: clips, num_folds: 3, clip_seconds: 0.5}"
    status, told = train(clips, model, "again")
    assert status == 0, told
    assert f"{len(table)} clips, 2 classes, 3 folds" in told

    # What was trained on them knows their recordings, in any form.
    of_fold = tmp_path / "again" / "fold-1" / "model"
    status, told = train(clips, of_fold, "clips_once_more")
    assert (status, "clips that are to be tested on" in told) == (2, True)
    whole = [f"{name},{label}" for name, label in zip(RECORDINGS * 2, "aabbab", strict=True)]
    stretches = [f"{row},{start},{start + 5}" for start, row in enumerate(whole)]
    (tmp_path / "whole.csv").write_text("\n".join(["path,label,start,end", *stretches]), encoding="utf-8")
    status, told = train("{name: csv, table: whole.csv, num_folds: 2, clip_seconds: 0.5}", of_fold, "recordings")
    assert (status, "clips that are to be tested on" in told) == (2, True)


def test_at_most_so_many_of_a_label(command: Command, model: Path, field: Path, tmp_path: Path) -> None:
    options = ("--threshold", 0.3, "--clips", "clips", "--clips-per-label", 2, "--format", "csv")
    status, out, _ = command("predict", model, "field", *options)
    assert status == 0
    assert out.splitlines()[0].startswith("path,start_s,end_s,label,score,mean")
    labels = [row["label"] for row in rows(tmp_path / "clips")]
    assert labels
    assert max(labels.count(label) for label in labels) <= 2


def test_short_sounds_are_clips_as_they_are(command: Command, model: Path, tones: Path, tmp_path: Path) -> None:
    status, _, _ = command("predict", model, tones / "low", "--clips", tmp_path / "clips")
    assert status == 0
    for row in rows(tmp_path / "clips"):
        found, expected = (
            soundfile.read(path, dtype="int16")[0] for path in (tmp_path / "clips" / row["path"], row["recording"])
        )
        np.testing.assert_array_equal(found, expected)


def test_an_interrupted_job_goes_on(
    command: Command, model: Path, field: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while clips are cut out: no folder is left, and the same command needs no second scoring."""
    words = (
        "predict",
        model,
        "field",
        "--threshold",
        0.3,
        "--clips",
        "clips",
        "--format",
        "csv",
        "--output",
        "found.csv",
    )
    with monkeypatch.context() as patch:
        patch.setattr(prediction, "write_clips", _interrupted)
        status, _, _ = command(*words)
    assert status == 130
    assert not (tmp_path / "clips").exists()
    assert not (tmp_path / "found.csv").exists()
    with monkeypatch.context() as patch:
        patch.setattr("audiosurvey.prediction.window_scoring.score_batches", _scored_again)
        status, _, told = command(*words)
    assert (status, told.splitlines()[0]) == (0, "continuing: 3 of 3 sounds were scored before")
    assert rows(tmp_path / "clips")
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".clips") or "journal" in path.name]


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _scored_again(*_: object, **__: object) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--clips-per-label", 3), "--clips-per-label: is for --clips; leave it out"),
        (("--clips", "clips", "--no-events"), "--clips: are of events; leave --no-events out"),
        (("--clips", "field/clips"), "whose sounds are predicted; give a folder outside of it"),
        (("--clips", "field/north/day.wav"), "is a file, or lies in one"),
        (("--clips", "full"), "already there, perhaps with labels that were corrected; give another folder"),
        (("--clips", "clips", "--clips-per-label", 0), "'--clips-per-label': must be at least 1"),
    ],
)
def test_mistakes_are_one_line(
    command: Command, model: Path, field: Path, tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "clips.csv").write_text("mine")
    status, _, told = command("predict", model, "field", *words)
    assert status == 2
    assert message in told
    assert (tmp_path / "full" / "clips.csv").read_text() == "mine"
    assert not (tmp_path / "clips").exists()


@pytest.mark.parametrize("word", ["--mic", "-"])
def test_a_pipe_gives_no_clips(command: Command, model: Path, field: Path, word: str) -> None:
    status, _, told = command("predict", model, word, "--clips", "clips")
    assert status == 2
    assert told.strip() == "--clips: are cut out of sound files; give files instead of a pipe or a microphone"


def test_clips_stay_out_of_models(command: Command, model: Path, field: Path) -> None:
    status, _, told = command("predict", model, "field", "--clips", model / "clips")
    assert status == 2
    assert "give a path outside of it" in told
