"""From the command line to the results: a run that is killed and goes on, a folder of one's own, several processes."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fold_files import kept_files
from measured import without_measured

Command = Callable[..., tuple[int, str, str]]
PATIENCE_S = 300


def written(run: Path) -> dict[str, Any]:
    return json.loads((run / "results.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.platform == "win32", reason="stops a process by a signal")
def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(
    tmp_path, tiny_yaml, command: Command, process, wait_for_lines
):
    config, run = tmp_path / "tiny.yaml", tmp_path / "run"
    config.write_text(tiny_yaml.replace("epochs: 2", "epochs: 30"), encoding="utf-8")
    assert command("train", config, "--run-dir", tmp_path / "whole", "--device", "cpu")[0] == 0
    first = process("train", config, "--run-dir", run, "--device", "cpu")
    wait_for_lines(run / "fold-2" / "metrics.jsonl", 2, first)
    first.send_signal(signal.SIGSTOP)
    # It still lives, so that nobody else may train here.
    status, out, err = command("train", config, "--run-dir", run, "--resume", "--device", "cpu")
    assert (status, out) == (2, "")
    assert err.splitlines() == [f"{run}: another process is training in this folder"]
    first.kill()
    first.wait()
    assert [row["fold"] for row in written(run)["folds"]] == [1]
    trained = len((run / "fold-2" / "metrics.jsonl").read_bytes().splitlines())
    assert 2 <= trained < 30
    finished = kept_files(run / "fold-1")
    status, _, err = command("train", config, "--run-dir", run, "--resume", "--device", "cpu")
    assert status == 0
    assert "folds to train: 2, 3" in err
    assert kept_files(run / "fold-1") == finished
    assert f"fold 2 of 3: epoch {trained - 1}/30" not in err
    assert without_measured(written(run)) == without_measured(written(tmp_path / "whole"))
    for fold in (1, 2, 3):
        for name in ("predictions.csv", "model/weights.safetensors"):
            broken, whole = (folder / f"fold-{fold}" / name for folder in (run, tmp_path / "whole"))
            assert broken.read_bytes() == whole.read_bytes()
        lines = (run / f"fold-{fold}" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 31))


BAD = {"bell/empty.wav", "bell/truncated.flac", "saw/text.wav"}


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """Three class folders of mixed formats, channels and rates, and three files that are no sounds."""
    root = tmp_path / "sounds"
    rng = np.random.default_rng(0)
    kinds = [
        ("wav", 8000, 1, "PCM_16"),
        ("WAV", 44100, 2, "PCM_24"),
        ("flac", 48000, 2, "PCM_16"),
        ("mp3", 32000, 1, None),
        ("wav", 22050, 1, "FLOAT"),
    ]
    for name, shape in {
        "bell": lambda t: np.sin(5000 * t) * np.exp(-6 * t),
        "saw": lambda t: t * 300 % 1 - 0.5,
        "hiss": None,
    }.items():
        (root / name).mkdir(parents=True)
        for number, (ending, rate, channels, subtype) in enumerate(kinds):
            seconds = np.arange(rate) / rate
            wave = 0.1 * rng.standard_normal(rate) if shape is None else 0.4 * shape(seconds)
            sound = np.repeat(wave[:, None], channels, axis=1)
            form = ending.upper()
            soundfile.write(root / name / f"{number}.{ending}", sound, rate, format=form, subtype=subtype)
    soundfile.write(root / "bell" / "empty.wav", np.zeros(0), 8000)
    whole = (root / "bell" / "2.flac").read_bytes()
    (root / "bell" / "truncated.flac").write_bytes(whole[: len(whole) // 2])
    (root / "saw" / "text.wav").write_text("this is no sound", encoding="utf-8")
    return root


def test_a_folder_of_ones_own_trains_and_its_bad_files_are_named_once(own_folder, tmp_path, command: Command):
    config = tmp_path / "mine.yaml"
    config.write_text(f"dataset: {{name: folder, root: '{own_folder.as_posix()}'}}\n", encoding="utf-8")
    small = ("--set", "train.epochs=1", "--set", "dataset.clip_seconds=1")
    run = tmp_path / "run"
    status, out, err = command("train", config, "--run-dir", run, "--folds", "1", "--device", "cpu", *small)
    assert status == 0, err
    results = written(run)
    assert results["dataset"]["clips"] == 15
    assert {bad["clip"] for bad in results["skipped"]} == BAD
    assert all(bad["reason"] for bad in results["skipped"])
    for name in BAD:
        told = [line for line in (out + err).splitlines() if name in line]
        assert len(told) == 1, told
        assert told[0].startswith(f"skipped: {name}: ")
    assert sum(line.startswith("skipped: ") for line in (out + err).splitlines()) == 3


@pytest.mark.slow
def test_two_processes_share_a_run(tmp_path, tiny_yaml, process, command: Command):
    config, run = tmp_path / "tiny.yaml", tmp_path / "run"
    config.write_text(tiny_yaml.replace("epochs: 2", "epochs: 8"), encoding="utf-8")
    words = ("train", config, "--run-dir", run, "--folds", "1,2", "--device", "cpu", "--set", "tracking=[tensorboard]")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "audiosurvey")
    both = process(*words, python=launcher)
    out, err = both.communicate(timeout=PATIENCE_S)
    assert both.returncode == 0, err
    assert out.count("results: ") == 1
    assert sum("fold 1 of 3: epoch" in line for line in err.splitlines()) == 8
    results = written(run)
    assert [row["fold"] for row in results["folds"]] == [1, 2]
    assert [row["clips"] for row in results["folds"]] == [8, 8]
    known = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    assert known["processes"] == 2
    # What both scored together is what the one saved model scores alone.
    status, out, _ = command("evaluate", run, "--json", "--device", "cpu")
    assert status == 0
    for one, other in zip(json.loads(out)["folds"], results["folds"], strict=True):
        assert one["accuracy"] == other["accuracy"]
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
    # Batch-norm aside, two processes take the step that one takes.
    alone = json.loads(_first_line(command, config, tmp_path / "alone"))
    together = json.loads((run / "fold-1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert together["step"] == alone["step"]
    assert together["train_loss"] == pytest.approx(alone["train_loss"], rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("model.freeze=body", "model.thaw=[{epoch: 2, freeze: 1}, {epoch: 3}]", "optimizer.layer_decay=0.5"),
        ("swa.start=0.3", "train.sampling=balanced", "loss.class_weights={low: 2}"),
        ("train.head_only=true", "train.head_penalty=auto"),
    ],
    ids=["thaw", "swa", "head"],
)
def test_two_processes_end_with_one_model(tmp_path, tiny_yaml, process, command: Command, finished_run, options):
    """What they scored together at the end is what the saved model scores alone, and close to what one finds."""
    config = tmp_path / "tiny.yaml"
    config.write_text(tiny_yaml.replace("epochs: 2", "epochs: 4"), encoding="utf-8")
    sets = [f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}", *options]
    words = ["train", config, "--folds", "1", "--device", "cpu", *(word for key in sets for word in ("--set", key))]
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "audiosurvey")
    both = process(*words, "--run-dir", tmp_path / "both", python=launcher)
    _, err = both.communicate(timeout=PATIENCE_S)
    assert both.returncode == 0, err
    assert command(*words, "--run-dir", tmp_path / "alone")[0] == 0
    (together,), (alone,) = (written(tmp_path / name)["folds"] for name in ("both", "alone"))
    assert together["loss"] == pytest.approx(alone["loss"], rel=0.3)
    status, out, _ = command("evaluate", tmp_path / "both", "--json", "--device", "cpu")
    assert status == 0
    assert json.loads(out)["folds"][0]["loss"] == pytest.approx(together["loss"], abs=1e-5)


def _first_line(command: Command, config: Path, run: Path) -> str:
    assert command("train", config, "--run-dir", run, "--folds", "1", "--device", "cpu")[0] == 0
    return (run / "fold-1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[0]


@pytest.mark.slow
def test_more_processes_than_clips_is_one_line(tmp_path, tiny_yaml, process):
    config = tmp_path / "tiny.yaml"
    config.write_text(tiny_yaml.replace("batch_size: 8", "batch_size: 1"), encoding="utf-8")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "audiosurvey")
    both = process("train", config, "--run-dir", tmp_path / "run", "--device", "cpu", python=launcher)
    _, err = both.communicate(timeout=PATIENCE_S)
    assert both.returncode
    assert "train.batch_size: 1 clips cannot be shared by 2 processes; start fewer of them" in err
