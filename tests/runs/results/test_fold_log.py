"""metrics.jsonl after a kill: each epoch once, in order."""

import json
from pathlib import Path

import torch
from torch import nn

from audiosurvey.runs.results.fold_log import FoldLog, read_history
from audiosurvey.training.checkpoint import TrainingState, load_tensors, save_state, save_tensors


class Shown:
    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None: ...

    def on_epoch(self, record: dict[str, object]) -> None:
        self.epochs.append(int(str(record["epoch"])))


def test_a_line_an_epoch(tmp_path):
    shown = Shown()
    log = FoldLog(tmp_path / "fold-1", shown, None)
    assert read_history(tmp_path / "fold-1") == []
    for epoch in (1, 2):
        log.on_epoch({"epoch": epoch, "train_loss": 0.5 / epoch})
    lines = (tmp_path / "fold-1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == read_history(tmp_path / "fold-1")
    assert read_history(tmp_path / "fold-1") == [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25}]
    assert shown.epochs == [1, 2]


def save(folder: Path, epoch: int) -> Path:
    path, network = folder / "checkpoint" / "state.safetensors", nn.Linear(1, 1)
    save_state(path, TrainingState(epoch=epoch, step=epoch), network, None, torch.optim.SGD(network.parameters()))
    return path


def test_lines_after_the_checkpoint_are_dropped(tmp_path):
    save(tmp_path, epoch=2)
    # Epoch 3 was recorded but not saved, and half a line of an epoch 4 is there.
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n{"epoch": 3, "x": 1}\n{"epo', encoding="utf-8")
    FoldLog(tmp_path, Shown(), None).on_epoch({"epoch": 3})
    assert read_history(tmp_path) == [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]


def test_the_records_in_a_checkpoint_of_an_earlier_version_come_first(tmp_path):
    path = save(tmp_path, epoch=2)
    tensors, _ = load_tensors(path)
    history = [{"epoch": 1}, {"epoch": 2}]
    journal = {"epoch": 2, "step": 2, "best": None, "best_epoch": 0, "done": False, "history": history}
    save_tensors(path, tensors, {"journal": json.dumps(journal)})
    # Epoch 2 is lost, half a line of an epoch 3 that no checkpoint knows is there.
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo', encoding="utf-8")
    FoldLog(tmp_path, Shown(), None).on_epoch({"epoch": 3})
    assert read_history(tmp_path) == [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]


def test_no_folder_no_history(tmp_path):
    assert read_history(tmp_path / "fold-1") == []
