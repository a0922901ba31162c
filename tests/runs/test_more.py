import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from audiosurvey.config.loader import load_text
from audiosurvey.errors import UserError
from audiosurvey.runs.more import default_folder, load_more
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.results.merging import merge
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.train import train
from audiosurvey.runs.validity import caveats
from audiosurvey.tensorfile import load_tensors
from audiosurvey.training.schedule import rate_factor


@pytest.fixture(scope="module")
def parent(tiny_yaml: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("more") / "parent"
    loaded = load_text(tiny_yaml, "tiny.yaml", ["schedule.name=cosine", "ema.decay=0.9"])
    train(loaded, TrainOptions(path, folds=[1, 2], final=True))
    return path


def lines(run: Path, fold: str = "fold-1") -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / fold / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def go_on(parent: Path, run: Path, more: int = 3, **options: object) -> object:
    return train(load_more(parent, more), TrainOptions(run, parent=parent, **options))  # pyright: ignore


def test_goes_on_with_weights_steps_and_a_second_schedule(parent: Path, tmp_path: Path):
    before = {path: path.read_bytes() for path in parent.rglob("*") if path.is_file()}
    run = tmp_path / "more"
    go_on(parent, run, folds=[1], final=True)
    assert {path: path.read_bytes() for path in parent.rglob("*") if path.is_file()} == before
    log, config = lines(run), RunFolder(run).read_config()
    assert [record["epoch"] for record in log] == [1, 2, 3, 4, 5]
    assert log[:2] == lines(parent)
    # 16 clips in batches of 8: two steps an epoch, six in the second schedule.
    assert [record["lr"] for record in log[2:]] == [
        config.train.lr * rate_factor(config.schedule, step, 6) for step in (1, 3, 5)
    ]
    results = RunFolder(run).require_results()
    assert results.parent
    assert (results.parent.run, results.parent.epochs) == (parent.as_posix(), 2)
    assert (results.folds[0].epochs, config.train.epochs) == (5, 5)
    assert results.folds[0].seconds == pytest.approx(sum(record["seconds"] for record in log), abs=1e-3)
    assert any(line.startswith("continues ") and "after epoch" in line for line in caveats(results))
    assert len(lines(run, "final")) == 5


def test_the_first_step_begins_where_the_parent_ended(parent: Path, tmp_path: Path):
    """Without a learning rate nothing but batch-norm statistics moves: the weights are those of the parent."""
    run = tmp_path / "still"
    loaded = load_more(parent, 1, ["train.lr=1e-30", "train.weight_decay=0"])
    train(loaded, TrainOptions(run, parent=parent, folds=[2]))
    state = "fold-2/checkpoint/state.safetensors"
    ours, theirs = (load_tensors(folder / state, "")[0] for folder in (run, parent))
    weights = [name for name in theirs if name.startswith("network.") and name.endswith("weight")]
    assert weights
    for name in weights:
        assert ours[name].equal(theirs[name])
    assert float(ours["optimizer.0.step"]) == float(theirs["optimizer.0.step"]) + 2


def test_an_interrupted_run_goes_on_alike(parent: Path, tmp_path: Path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    go_on(parent, whole)
    assert RunFolder(whole).require_results().done == [1, 2]
    go_on(parent, parts, folds=[2])
    loaded = load_text((parts / "config.yaml").read_text(encoding="utf-8"), "config.yaml")
    train(loaded, TrainOptions(parts, folds=[1], resume=True))
    keys = ("epoch", "lr", "train_loss")
    assert [[r[k] for k in keys] for r in lines(parts)] == [[r[k] for k in keys] for r in lines(whole)]
    assert RunFolder(parts).require_results().done == [1, 2]


def test_what_cannot_go_on(parent: Path, tiny_yaml: str, tmp_path: Path):
    with pytest.raises(
        UserError, match=r"fold 3 has not ended; finish it first: audiosurvey train .*--resume, or give"
    ):
        go_on(parent, tmp_path / "a", folds=[1, 3])
    with pytest.raises(UserError, match=r"^model.members: cannot be changed with --more"):
        load_more(parent, 3, ["model.members=2"])
    with pytest.raises(UserError, match=r"no run folder \(no config.yaml in it\)"):
        load_more(tmp_path, 3)
    patient = tmp_path / "patient"
    train(load_text(tiny_yaml, "t", ["train.patience=1"]), TrainOptions(patient, folds=[1]))
    with pytest.raises(UserError, match=r"begin another run with a larger train.patience"):
        load_more(patient, 3)
    assert not (tmp_path / "a").exists()


def test_other_data_is_refused(parent: Path, tones: Path, tmp_path: Path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(tones, other)
    (other / "low" / "0.wav").unlink()
    loaded = load_more(parent, 3, [f"dataset.root={other.as_posix()}"])
    with pytest.raises(UserError, match="was trained on other data than are there now"):
        train(loaded, TrainOptions(tmp_path / "run", parent=parent, folds=[1]))


def test_runs_that_went_on_are_not_merged_with_others(parent: Path, tiny_yaml: str, tmp_path: Path):
    run, straight = tmp_path / "run", tmp_path / "straight"
    go_on(parent, run, 1, folds=[1])
    loaded = load_text(tiny_yaml, "t", ["schedule.name=cosine", "ema.decay=0.9", "train.epochs=3"])
    train(loaded, TrainOptions(straight, folds=[3]))
    with pytest.raises(UserError, match=rf"continues: {re.escape(parent.as_posix())} after epoch 2 and no run"):
        merge([run, straight])


def test_the_command_and_the_name_of_the_folder(
    parent: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
):
    assert default_folder(Path("runs/mine"), 40) == Path("runs/mine-more40")
    run = tmp_path / "run"
    status, _, told = command("train", parent, "--more", 1, "--folds", 1, "--run-dir", run)
    assert status == 0, told
    assert f"1 more epochs after the 2 of {parent.as_posix()}; the learning rate rises to 0.02 once more" in told
    status, _, told = command("train", parent, "--more", 1, "--run-dir", run, "--resume")
    assert (status, told.startswith("--more: begins a new run")) == (2, True)
    changed = ("--resume", "--set", "train.epochs=9")
    status, _, told = command("train", parent / "config.yaml", "--run-dir", parent, *changed)
    assert status == 2
    assert f"for more epochs: audiosurvey train {parent} --more 40:" in told
