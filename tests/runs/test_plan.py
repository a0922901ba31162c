"""A run: the same twice, whole after a break, and its folder as the contract says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fold_files import kept_files
from measured import without_measured

from audiosurvey.config.loader import load_config
from audiosurvey.config.root import Config
from audiosurvey.errors import UserError
from audiosurvey.runs.executors import inline
from audiosurvey.runs.job import FoldJob
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.runs.train import train

Train = Callable[..., dict[str, Any]]
ONE = "train.epochs=1"


def written(run: Path) -> dict[str, Any]:
    return json.loads((run / "results.json").read_text(encoding="utf-8"))


def outcome(run: Path) -> tuple[Any, ...]:
    """All that must not depend on anything but the config."""
    folds = sorted(run.glob("fold-*"))
    metrics = [
        [without_measured(json.loads(line)) for line in (fold / "metrics.jsonl").read_text().splitlines()]
        for fold in folds
    ]
    files = [(fold / name).read_bytes() for fold in folds for name in ("predictions.csv", "model/weights.safetensors")]
    # The config itself may say something else where it is to make no difference.
    return without_measured(written(run) | {"config": None}), metrics, files


AUGMENTED = (
    "augmentation={mixup: {p: 0.5}, noise: {p: 0.5}, time_masking: {p: 0.5, tmp: 5}, gain: {p: 0.5}}",
    "model.blocks=[{conv_block: {channels: 8, layers: 1}}, {dropout: 0.2}, {pooling: {mode: avg}}]",
)


def test_the_same_command_twice_and_with_reader_threads(tmp_path, train_tiny: Train):
    train_tiny(tmp_path / "once", *AUGMENTED, folds=[1, 2])
    train_tiny(tmp_path / "twice", *AUGMENTED, folds=[1, 2])
    train_tiny(tmp_path / "threads", *AUGMENTED, "train.num_workers=2", folds=[1, 2])
    assert outcome(tmp_path / "once") == outcome(tmp_path / "twice") == outcome(tmp_path / "threads")


def test_what_is_ignored_takes_part_in_nothing_and_is_told(tmp_path, train_tiny: Train):
    (tmp_path / "ignore.tsv").write_text("low/3.wav\ttruncated\nnoise/0.wav\tsilent\n", encoding="utf-8")
    said: list[str] = []
    place = (tmp_path / "ignore.tsv").as_posix()
    found = train_tiny(tmp_path / "run", ONE, f"dataset.ignore={place}", say=said.append)
    assert found["ignored"] == [
        {"clip": "low/3.wav", "reason": "truncated"},
        {"clip": "noise/0.wav", "reason": "silent"},
    ]
    assert found["dataset"]["clips"] == sum(fold["clips"] for fold in found["folds"]) == 22
    assert f"note: 2 clips left out by {place}" in said
    tested = [
        clip
        for fold in (1, 2, 3)
        for clip in read_predictions(tmp_path / "run" / f"fold-{fold}" / "predictions.csv")[0]
    ]
    assert len(set(tested)) == len(tested) == 22
    assert not {"low/3.wav", "noise/0.wav"} & set(tested)


def test_another_seed_is_another_run(tmp_path, train_tiny: Train):
    train_tiny(tmp_path / "0", ONE, folds=[1])
    train_tiny(tmp_path / "1", ONE, "seed=1", folds=[1])
    assert outcome(tmp_path / "0")[2] != outcome(tmp_path / "1")[2]


def test_the_run_folder_is_as_the_contract_says(finished_run: Path):
    top = {path.name for path in finished_run.iterdir()} - {"lock"}
    folds = {"fold-1", "fold-2", "fold-3"}
    assert top == folds | {"config.yaml", "results.json", "environment.json", "confusion.png", "curves.png"}
    for fold in folds:
        inside = {path.name for path in (finished_run / fold).iterdir()}
        events = {name for name in inside if name.startswith("events.out.tfevents")}
        assert inside - events == {"metrics.jsonl", "predictions.csv", "result.json", "checkpoint", "model"}
        assert len(events) == 1
        kept = [path.suffix for path in (finished_run / fold / "checkpoint").iterdir()]
        assert kept == [".safetensors"]
    assert not list(finished_run.rglob("*.tmp"))


def test_results_have_the_form_of_the_contract(finished_run: Path):
    results = written(finished_run)
    assert results["schema"] == 1
    assert set(results["dataset"]) >= {"name", "subset", "sample_rate", "clips", "hash"}
    assert (results["dataset"]["clips"], results["dataset"]["sample_rate"]) == (24, 8000)
    assert results["official"] is False
    assert results["selection"] == "last"
    assert results["classes"] == ["high", "low", "mid", "noise"]
    assert [row["fold"] for row in results["folds"]] == [1, 2, 3]
    for row in results["folds"]:
        assert {"fold", "accuracy", "top3_accuracy", "auroc", "clips", "epochs", "seconds"} <= row.keys()
        assert (row["clips"], row["epochs"]) == (8, 6)
    for name in ("accuracy", "top3_accuracy", "auroc", "loss"):
        values = [row[name] for row in results["folds"]]
        assert results["mean"][name] == pytest.approx(np.mean(values))
        assert results["std"][name] == pytest.approx(np.std(values, ddof=1))
        assert name == "loss" or all(0 <= value <= 1 for value in values)
    assert results["parameters"] == results["parameters"] // 1 > 0
    assert results["macs"] > 0
    assert np.asarray(results["confusion"]).sum() == 24
    assert set(results["recall"]) == set(results["classes"])


def test_the_tones_are_learned(finished_run: Path):
    assert written(finished_run)["mean"]["accuracy"] > 0.6


def test_predictions_are_those_that_were_scored(finished_run: Path):
    results = written(finished_run)
    seen: list[str] = []
    for row in results["folds"]:
        clips, labels, scores = read_predictions(finished_run / f"fold-{row['fold']}" / "predictions.csv")
        guessed = [results["classes"][k] for k in scores.argmax(axis=1)]
        assert np.mean([a == b for a, b in zip(guessed, labels, strict=True)]) == row["accuracy"]
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
        assert all(clip.startswith(f"{label}/") for clip, label in zip(clips, labels, strict=True))
        seen += clips
    assert len(set(seen)) == len(seen) == 24


def test_the_config_of_a_run_is_a_config_and_trains_the_same(finished_run: Path, tmp_path):
    loaded = load_config(finished_run / "config.yaml")
    stored = yaml.safe_load((finished_run / "config.yaml").read_text(encoding="utf-8"))
    assert loaded.config == Config.model_validate(stored).resolved()
    assert loaded.resolved_yaml() == (finished_run / "config.yaml").read_text(encoding="utf-8")
    again = load_config(finished_run / "config.yaml", ["tracking=[]", ONE])
    train(again, TrainOptions(tmp_path / "run", [1], device="cpu"))
    assert written(tmp_path / "run")["parameters"] == written(finished_run)["parameters"]


def test_folds_are_added_and_finished_ones_left_alone(tmp_path, train_tiny: Train):
    train_tiny(tmp_path / "whole", ONE)
    run = tmp_path / "parts"
    train_tiny(run, ONE, folds=[2])
    first = kept_files(run / "fold-2")
    assert written(run)["std"]["accuracy"] is None
    results = train_tiny(run, ONE, folds=[1, 2], resume=True)
    assert [row["fold"] for row in results["folds"]] == [1, 2]
    train_tiny(run, ONE, resume=True)
    assert kept_files(run / "fold-2") == first
    assert outcome(run) == outcome(tmp_path / "whole")


@pytest.mark.parametrize(("begun", "device", "kept"), [("bf16", "cpu", "bf16"), ("fp16", "cuda", "fp32")])
def test_auto_is_decided_once_a_run(tmp_path, train_tiny: Train, monkeypatch, begun, device, kept):
    monkeypatch.setattr("audiosurvey.training.precision.fast_bf16_cpu", lambda: False)
    train_tiny(tmp_path, ONE, "precision=auto", folds=[1])
    path = tmp_path / "environment.json"
    environment = json.loads(path.read_text(encoding="utf-8"))
    assert environment["precision"] == "fp32"
    path.write_text(json.dumps(environment | {"precision": begun, "device": device}), encoding="utf-8")
    said: list[str] = []
    train_tiny(tmp_path, ONE, "precision=auto", folds=[2], resume=True, say=said.append)
    assert any(f"a fold on cpu, {kept}" in line for line in said)


def test_resume_with_everything_done_changes_nothing_but_draws_again(tmp_path, train_tiny: Train):
    train_tiny(tmp_path, ONE, folds=[1])
    (tmp_path / "curves.png").unlink()
    before = (tmp_path / "results.json").read_bytes()
    said: list[str] = []
    train_tiny(tmp_path, ONE, folds=[1], resume=True, say=said.append)
    assert (tmp_path / "results.json").read_bytes() == before
    assert (tmp_path / "curves.png").exists()
    assert any("none, all are done" in line for line in said)


def test_results_are_on_disk_as_soon_as_a_fold_ends(tmp_path, train_tiny: Train, monkeypatch):
    true_run, states = inline.run_job, []

    def spied(job: FoldJob, *others: Any) -> Any:
        states.append(
            [row["fold"] for row in written(tmp_path)["folds"]] if (tmp_path / "results.json").exists() else None
        )
        return true_run(job, *others)

    monkeypatch.setattr(inline, "run_job", spied)
    train_tiny(tmp_path, ONE)
    assert states == [None, [1], [1, 2]]


@pytest.fixture(scope="module")
def one_fold(train_tiny: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of fold 1 that nothing disturbed."""
    folder = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "run", folds=[1])
    return folder / "run"


BALANCED = (
    "train.sampling=balanced",
    "loss.class_weights={low: 2.0, noise: 0.5}",
    "augmentation={gain: {p: 1}, mixup: {p: 0.5}}",
)


RISING = (
    "model.blocks=[{conv_block: {channels: 8, layers: 1}}, {drop: {p: 1, dp: 0.5, t: 3, f: 3, schedule: linear}}, "
    "{pooling: {mode: avg}}]",
)


AVERAGED = ("swa.start=0.25", "augmentation={gain: {p: 1}}", *AUGMENTED[1:])


@pytest.mark.parametrize("options", [BALANCED, RISING, AVERAGED], ids=["balanced", "rising", "averaged"])
def test_a_broken_run_ends_as_an_unbroken_one(tmp_path, train_tiny: Train, options, killed_after_checkpoint):
    train_tiny(tmp_path / "whole", *options, folds=[1])
    with killed_after_checkpoint():
        train_tiny(tmp_path / "broken", *options, folds=[1])
    train_tiny(tmp_path / "broken", *options, folds=[1], resume=True)
    assert outcome(tmp_path / "broken") == outcome(tmp_path / "whole")


def test_the_even_average_is_what_is_scored_and_stored(tmp_path, train_tiny: Train):
    """The stored weights are the mean over the steps from the start on, and give the scores that were written."""
    from audiosurvey.runs.evaluation.heldout import evaluate_run, open_run
    from audiosurvey.runs.results.run_folder import RunFolder
    from audiosurvey.tensorfile import load_tensors
    from audiosurvey.training.step import TrainStep

    seen: list[dict[str, Any]] = []
    true_call = TrainStep.__call__

    def spied(self: TrainStep, group: Any, **at: Any) -> Any:
        progress = true_call(self, group, **at)
        if at["lr"]:
            seen.append({name: value.clone() for name, value in self.network.network.state_dict().items()})
        return progress

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainStep, "__call__", spied)
        results = train_tiny(tmp_path / "run", "swa.start=0.5", folds=[1])
    stored = load_tensors(tmp_path / "run" / "fold-1" / "model" / "weights.safetensors")[0]
    assert len(seen) == 4
    for name, value in stored.items():
        if name.endswith((".weight", ".bias")):
            np.testing.assert_allclose(value, (seen[2][name] + seen[3][name]) / 2, atol=1e-7)
    counted = "standardize.norm.running_mean"
    assert not np.allclose(stored[counted], (seen[2][counted] + seen[3][counted]) / 2)
    again = evaluate_run(open_run(RunFolder(tmp_path / "run")), device="cpu").as_json()
    assert again["folds"][0]["loss"] == pytest.approx(results["folds"][0]["loss"], abs=1e-6)
    last = json.loads((tmp_path / "run" / "fold-1" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["test_loss"] == pytest.approx(results["folds"][0]["loss"], abs=1e-6)


def test_an_unbalanced_table_is_heard_evenly(tmp_path, train_tiny: Train, tones, monkeypatch):
    """Twelve clips of one class, three each of two others: per epoch every class as often."""
    from audiosurvey.training.step import TrainStep

    rows = ["path,label,fold"]
    rows += [f"{name}/{n}.wav,common,{n % 2 + 1}" for name in ("low", "mid") for n in range(6)]
    rows += [f"{name}/{n}.wav,{name},{n % 2 + 1}" for name in ("high", "noise") for n in range(3)]
    (tones / "unbalanced.csv").write_text("\n".join(rows), encoding="utf-8")
    dataset = f"dataset={{name: csv, root: '{tones.as_posix()}', table: unbalanced.csv, clip_seconds: 0.5}}"
    heard: dict[int, list[int]] = {}
    true_call = TrainStep.__call__

    def spied(self: TrainStep, group: Any, **at: Any) -> Any:
        if at["lr"]:
            heard.setdefault(at["epoch"], []).extend(clip.labels[0] for batch in group for clip in batch.clips)
        return true_call(self, group, **at)

    monkeypatch.setattr(TrainStep, "__call__", spied)
    results = train_tiny(tmp_path / "run", dataset, "train.sampling=balanced", folds=[2])
    assert results["folds"][0]["train_clips"] == 10
    for labels in heard.values():
        assert len(labels) == 10
        assert sorted(labels.count(label) for label in range(3)) == [3, 3, 4]
    assert len(heard) == 2


def test_weights_of_classes_that_are_not_in_the_data(tmp_path, train_tiny: Train):
    with pytest.raises(UserError, match=r"loss\.class_weights: unknown class 'hgh'; did you mean 'high'"):
        train_tiny(tmp_path / "run", "loss.class_weights={hgh: 2}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["save_artefact", "write_json", "write_predictions"])
def test_a_break_while_a_fold_is_recorded_is_mended(tmp_path, train_tiny: Train, monkeypatch, place, one_fold: Path):
    class Killed(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"audiosurvey.runs.recorder.{place}", killed)
        with pytest.raises(Killed):
            train_tiny(tmp_path / "broken", folds=[1])
    assert not (tmp_path / "broken" / "results.json").exists()
    train_tiny(tmp_path / "broken", folds=[1], resume=True)
    assert outcome(tmp_path / "broken") == outcome(one_fold)


def test_a_fold_that_is_not_there(tmp_path, train_tiny: Train):
    with pytest.raises(UserError, match="fold 9: not in the table, whose folds are 1, 2, 3"):
        train_tiny(tmp_path / "run", folds=[1, 9])
    assert not (tmp_path / "run").exists()


def test_a_recording_on_both_sides_is_refused_or_marked(tmp_path, train_tiny: Train, tones, command):
    rows = ["path,label,fold,source"]
    rows += [
        f"{tones.as_posix()}/{name}/{n}.wav,{name},{n % 2 + 1},{name}" for name in ("low", "high") for n in range(6)
    ]
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    dataset = f"dataset={{name: csv, table: '{(tmp_path / 'table.csv').as_posix()}', clip_seconds: 0.5}}"
    with pytest.raises(UserError, match="are on both sides"):
        train_tiny(tmp_path / "refused", dataset, ONE)
    results = train_tiny(tmp_path / "leaking", dataset, ONE, "protocol.allow_leakage=true", folds=[1])
    assert results["leaking"] is True
    assert results["official"] is False
    _, shown, _ = command("evaluate", tmp_path / "leaking")
    assert "leaking: one recording is on both sides of a split" in shown
    card = (tmp_path / "leaking" / "fold-1" / "model" / "README.md").read_text(encoding="utf-8")
    assert "leaking" in card


def test_several_labels_give_map_and_auroc(tmp_path, train_tiny: Train, tones):
    names = ("low", "mid", "high")
    rows = ["path,label,fold"]
    rows += [f"{name}/{n}.wav,{name}|{names[n % 3]},{n % 2 + 1}" for name in names for n in range(6)]
    (tones / "several.csv").write_text("\n".join(rows), encoding="utf-8")
    dataset = f"dataset={{name: csv, root: '{tones.as_posix()}', table: several.csv, clip_seconds: 0.5}}"
    results = train_tiny(tmp_path / "run", dataset, ONE)
    assert set(results["mean"]) == {"map", "auroc", "loss", "f1", "precision", "calibration_error"}
    assert results["multi_label"] is True
    assert results["confusion"] is None
    assert not (tmp_path / "run" / "confusion.png").exists()
    clips, labels, scores = read_predictions(tmp_path / "run" / "fold-1" / "predictions.csv")
    assert dict(zip(clips, labels, strict=True))["low/2.wav"] in ("high|low", "low|high")
    assert not np.allclose(scores.sum(axis=1), 1, atol=0.05)


def test_a_split_column_is_one_fold(tmp_path, train_tiny: Train, tones):
    sides = ("train", "train", "train", "val", "test", "test")
    rows = ["path,label,split"] + [f"{name}/{n}.wav,{name},{sides[n]}" for name in ("low", "high") for n in range(6)]
    (tones / "split.csv").write_text("\n".join(rows), encoding="utf-8")
    dataset = f"dataset={{name: csv, root: '{tones.as_posix()}', table: split.csv, clip_seconds: 0.5}}"
    results = train_tiny(tmp_path / "run", dataset, "train={epochs: 2, patience: 1}")
    assert results["selection"] == "validation"
    (row,) = results["folds"]
    assert (row["fold"], row["clips"], row["train_clips"]) == (1, 4, 6)
    # Two classes: a top-3 accuracy would say nothing.
    assert row["top3_accuracy"] is None
    assert results["mean"]["top3_accuracy"] is None
    assert results["std"]["accuracy"] is None
