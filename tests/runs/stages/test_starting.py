"""Runs that start from weights: taken, recorded, frozen where asked, and no test clip known beforehand."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from audiosurvey.config.loader import load_text
from audiosurvey.errors import UserError
from audiosurvey.runs.stages.starting import open_pretrained
from audiosurvey.tensorfile import load_tensors

Train = Callable[..., dict[str, Any]]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / "model" / "weights.safetensors")[0]


def test_without_init_there_is_no_start(tiny) -> None:
    assert open_pretrained(tiny().config) is None


def test_a_file_that_is_published_has_its_name_in_the_results(shared: Path) -> None:
    path = (shared / "weights" / "mn04_as_mAP_432.pt").as_posix()
    start = open_pretrained(load_text(f"model: {{preset: mn04, init: {path}}}", "config.yaml").config)
    assert start is not None
    assert start.name == "efficientat/mn04_as"


def test_a_run_from_a_model_of_ours(tmp_path: Path, finished_run: Path, train_tiny: Train) -> None:
    """Frozen, the body stays the one it came with, statistics included; the classifier is trained."""
    said: list[str] = []
    init = (finished_run / "fold-1" / "model").as_posix()
    options = (f"model.init={init}", "model.freeze=body", "train.epochs=1", "ema.decay=0.5")
    results = train_tiny(tmp_path / "run", *options, folds=[1], say=said.append)
    assert results["init"] == init
    assert results["folds"][0]["fold"] == 1
    before, after = weights(finished_run / "fold-1"), weights(tmp_path / "run" / "fold-1")
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if not name.startswith("classifier.")}
    report = json.loads((tmp_path / "run" / "init.json").read_text(encoding="utf-8"))
    assert (report["family"], report["fresh"]) == ("audiosurvey", ["classifier.weight", "classifier.bias"])
    assert len(report["matched"]) == len(before) - 2
    about = json.loads((tmp_path / "run" / "fold-1" / "model" / "model.json").read_text(encoding="utf-8"))["about"]
    assert about["init"] == init
    lines = [line for line in said if line.startswith(("init: ", "frozen: "))]
    assert (
        lines[0] == f"init: {init} (audiosurvey): {len(before) - 2} of {len(before)} tensors taken, 0 of them renamed"
    )
    assert lines[1].startswith("init: dropped, a classifier for 4 classes: ")
    assert lines[-1].startswith("frozen: 3 of 3 blocks; 0 of ")
    # The clips behind the weights count as heard by what comes of them.
    heard = json.loads((tmp_path / "run" / "fold-1" / "model" / "trained_on.json").read_text(encoding="utf-8"))
    assert len([name for name in heard if name.startswith("init/")]) == 16


def test_without_freezing_everything_is_trained(tmp_path: Path, finished_run: Path, train_tiny: Train) -> None:
    init = f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}"
    train_tiny(tmp_path / "run", init, "train.epochs=1", "train.lr=0.0001", folds=[1])
    before, after = weights(finished_run / "fold-1"), weights(tmp_path / "run" / "fold-1")
    kernels = [name for name, value in before.items() if name.startswith("blocks.") and value.ndim == 4]
    assert kernels
    for name in kernels:
        assert not torch.equal(before[name], after[name])
        torch.testing.assert_close(before[name], after[name], rtol=0, atol=0.01)


def test_test_clips_that_the_weights_know_are_refused(tmp_path: Path, finished_run: Path, train_tiny: Train) -> None:
    init = f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}"
    with pytest.raises(
        UserError, match="was trained on the recordings of 8 clips that are to be tested on, such as "
    ) as caught:
        train_tiny(tmp_path / "run", init, folds=[2])
    assert "(folds)" in caught.value.lines[0]
    assert not (tmp_path / "run" / "fold-2").exists()
    results = train_tiny(tmp_path / "run", init, "train.epochs=1", "protocol.allow_leakage=true", folds=[2])
    assert results["leaking"]
    assert not results["official"]


def test_other_stretches_of_files_that_the_weights_know_are_refused(
    tmp_path: Path, tones: Path, finished_run: Path, train_tiny: Train
) -> None:
    """The weights heard whole files of folds 2 and 3; here each file is a clip of 0.2 s in the same fold."""
    heard = json.loads((finished_run / "fold-1" / "model" / "trained_on.json").read_text(encoding="utf-8"))
    names = [file.relative_to(tones).as_posix() for file in sorted(tones.glob("*/*.wav"))]
    rows = [f"{name},{name.split('/')[0]},{2 if name in heard else 1},0.2" for name in names]
    (tmp_path / "clips.csv").write_text("\n".join(["path,label,fold,start", *rows]))
    data = (
        f"{{name: csv, root: '{tones.as_posix()}', table: '{(tmp_path / 'clips.csv').as_posix()}', clip_seconds: 0.3}}"
    )
    init = f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}"
    with pytest.raises(UserError, match="was trained on the recordings of 16 clips that are to be tested on"):
        train_tiny(tmp_path / "run", f"dataset={data}", init, folds=[2])
    train_tiny(tmp_path / "run", f"dataset={data}", init, "train.epochs=1", folds=[1])


def test_a_model_alone_and_sounds_of_other_classes(
    tmp_path: Path, finished_run: Path, tones: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    """`model: {init: RUN}` is a whole section; the test clips of the new data are not those of the model."""
    model = (finished_run / "fold-1" / "model").as_posix()
    for name, seed in {"hiss": 1, "rumble": 2}.items():
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(4):
            wave = 0.1 * np.random.default_rng(10 * seed + number).standard_normal(4000)
            soundfile.write(tmp_path / "own" / name / f"{number}.wav", wave.cumsum() / 50 if seed == 2 else wave, 8000)
    text = """\
dataset: {{name: folder, root: '{root}', num_folds: 2, clip_seconds: 0.5}}
train: {{epochs: 1, batch_size: 8, num_workers: 0}}
tracking: []
model: {{init: '{model}'}}
"""
    config = tmp_path / "own.yaml"
    config.write_text(text.format(root=(tmp_path / "own").as_posix(), model=model), encoding="utf-8")
    note = f"note: {config}:4: model.init: network of 3 blocks, sample rate of 8000 Hz, mel spectrogram of {model}"
    status, _, told = command("check", config)
    assert (status, told.splitlines()[0]) == (0, note)
    status, _, told = command("train", config, "--run-dir", tmp_path / "run", "--device", "cpu")
    assert (status, told.splitlines()[0]) == (0, note)
    assert "init: dropped, a classifier for 4 classes" in told
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert (results["classes"], results["leaking"]) == (["hiss", "rumble"], False)

    config.write_text(text.format(root=tones.as_posix(), model=model), encoding="utf-8")
    status, _, told = command("train", config, "--run-dir", tmp_path / "leak", "--device", "cpu")
    assert status == 2
    assert "clips that are to be tested on" in told.splitlines()[-1]
    assert not (tmp_path / "leak").exists()


def test_weights_that_went_missing_stop_the_run_at_once(tmp_path: Path, train_tiny: Train) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        train_tiny(tmp_path / "run", "model.init=gone.safetensors")
    assert not (tmp_path / "run").exists()


THAWING = (
    "model.freeze=body",
    "model.thaw=[{epoch: 2, freeze: 1}, {epoch: 4}]",
    "optimizer.layer_decay=0.5",
    "train.epochs=4",
    "ema.decay=0",
)


def test_blocks_thaw_at_their_epochs(tmp_path: Path, finished_run: Path, train_tiny: Train, monkeypatch) -> None:
    """Weights and statistics of a block stay until its epoch, and move in it."""
    from audiosurvey.training.loop import Trainer

    init = f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}"
    epochs: list[dict[str, torch.Tensor]] = [weights(finished_run / "fold-1")]
    true_save = Trainer._save

    def saved(self: Trainer) -> None:
        epochs.append({name: value.clone() for name, value in self.network.state_dict().items()})
        true_save(self)

    monkeypatch.setattr(Trainer, "_save", saved)
    said: list[str] = []
    train_tiny(tmp_path / "run", init, *THAWING, folds=[1], say=said.append)
    moved = [
        {
            part
            for part in ("standardize.", "blocks.0.", "blocks.1.", "classifier.")
            if any(not torch.equal(before[name], after[name]) for name in before if name.startswith(part))
        }
        for before, after in pairwise(epochs[1:])
    ]
    still = {name for name in epochs[0] if torch.equal(epochs[0][name], epochs[1][name])}
    assert {name for name in epochs[0] if not name.startswith("classifier.")} == still
    assert moved == [
        {"blocks.1.", "classifier."},
        {"blocks.1.", "classifier."},
        {"standardize.", "blocks.0.", "blocks.1.", "classifier."},
    ]
    assert [line for line in said if line.startswith("frozen from")] == [
        "frozen from epoch 2 on: 1 of 3 blocks",
        "frozen from epoch 4 on: 0 of 3 blocks",
    ]


@pytest.mark.parametrize("ended", [1, 2, 3])
def test_a_broken_thawing_ends_as_an_unbroken_one(
    tmp_path: Path, finished_run: Path, train_tiny: Train, ended: int, killed_after_checkpoint: Any
) -> None:
    options = (f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}", *THAWING)
    train_tiny(tmp_path / "whole", *options, folds=[1])
    with killed_after_checkpoint(lambda trainer: trainer.state.epoch == ended):
        train_tiny(tmp_path / "broken", *options, folds=[1])
    train_tiny(tmp_path / "broken", *options, folds=[1], resume=True)
    files = [tmp_path / name / "fold-1" / "model" / "weights.safetensors" for name in ("whole", "broken")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_init_first_then_pretraining(tmp_path: Path, finished_run: Path, train_tiny: Train, tones: Path) -> None:
    init = (finished_run / "fold-1" / "model").as_posix()
    data = f"{{name: toy, root: '{tmp_path.as_posix()}/toy'}}"
    toy = f"pretrain={{epochs: 1, batch_size: 16, num_workers: 0, dataset: {data}}}"
    results = train_tiny(tmp_path / "run", f"model.init={init}", toy, "train.epochs=1", "model.freeze=1", folds=[1])
    assert results["init"] == f"{init}, then toy"
    before, after = weights(finished_run / "fold-1"), weights(tmp_path / "run" / "fold-1")
    for name in before:
        if name.startswith(("blocks.0.", "standardize.")):
            assert torch.equal(before[name], after[name]), name
    assert not torch.equal(before["blocks.1.0.weight"], after["blocks.1.0.weight"])
