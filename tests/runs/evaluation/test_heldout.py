"""Evaluation of what is trained: a run says again what it said, and a model on other data knows its own clips."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from audiosurvey.api.evaluation import evaluate
from audiosurvey.api.run import open_run as open_finished
from audiosurvey.errors import UserError
from audiosurvey.reporting.evaluation_files import FILES
from audiosurvey.runs.evaluation.evaluation_result import EvaluationResult
from audiosurvey.runs.evaluation.heldout import evaluate_model, evaluate_run, open_run
from audiosurvey.runs.results.predictions import read_prediction_table
from audiosurvey.runs.results.run_folder import RunFolder


def test_a_run_says_again_what_it_said(finished_run: Path):
    before = json.loads((finished_run / "results.json").read_text(encoding="utf-8"))
    again = evaluate_run(open_run(RunFolder(finished_run)), device="cpu").as_json()
    assert again["confusion"] == before["confusion"]
    assert again.keys() == before.keys() | {"mixed_up"}
    assert again["by_class"] == before["by_class"]
    assert again["parameters"] == before["parameters"]
    for name in ("accuracy", "top3_accuracy", "auroc", "loss"):
        assert again["mean"][name] == pytest.approx(before["mean"][name], abs=1e-6)


def test_the_order_of_the_batches_does_not_matter(finished_run: Path):
    usual = evaluate_run(open_run(RunFolder(finished_run)), device="cpu").as_json()
    reverse = evaluate_run(open_run(RunFolder(finished_run)), device="cpu", reverse=True).as_json()
    for one, other in zip(usual["folds"], reverse["folds"], strict=True):
        assert one["accuracy"] == other["accuracy"]
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)


def test_evaluation_is_float32_whatever_the_training_was(train_tiny, tmp_path):
    before = train_tiny(tmp_path / "run", "precision=bf16", folds=[1])
    known = json.loads((tmp_path / "run" / "environment.json").read_text(encoding="utf-8"))
    assert known["precision"] == "bf16"
    again = evaluate_run(open_run(RunFolder(tmp_path / "run")), device="cpu").as_json()
    assert again["folds"][0]["loss"] == pytest.approx(before["folds"][0]["loss"], abs=1e-6)


def test_a_model_on_the_data_it_comes_from_marks_what_it_was_trained_on(finished_run: Path, tones: Path):
    results = evaluate(finished_run / "fold-1" / "model", str(tones), device="cpu").as_json()
    first = json.loads((finished_run / "results.json").read_text(encoding="utf-8"))["folds"][0]
    assert (results["clips"], len(results["trained_on"])) == (24, 16)
    assert results["metrics_unseen"]["accuracy"] == first["accuracy"]
    assert results["classes"] == ["high", "low", "mid", "noise"]
    assert json.loads(json.dumps(results)) == results


def test_classes_are_judged_on_clips_that_the_model_was_not_trained_on(finished_run: Path, tones: Path):
    results = evaluate(finished_run / "fold-1" / "model", str(tones), device="cpu")
    assert sum(one.clips for one in results.by_class.values()) == 8
    assert results.predictions is not None
    assert len(results.predictions) == 24
    assert isinstance(results, EvaluationResult)
    assert results.judged is not None
    assert set(results.judged.clips) == set(results.predictions.clips) - set(results.trained_on)
    # The scores are those of the run for the same clips.
    stored = open_finished(finished_run).fold(1).predictions()
    order = [results.judged.clips.index(clip) for clip in stored.clips]
    assert results.judged.scores_NK[order] == pytest.approx(stored.scores_NK, abs=1e-5)


def test_files_of_an_evaluation(finished_run: Path, tmp_path: Path):
    folder = tmp_path / "new" / "out"
    results = evaluate(finished_run, device="cpu", output=folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    table = read_prediction_table(folder / "predictions.csv")
    assert set(table.folds_N.tolist()) == {1, 2, 3}
    assert results.predictions is not None
    assert table.clips == results.predictions.clips
    with (folder / "classes.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert {name: int(row["right"]) for name, row in rows.items()} == {
        name: one.right for name, one in results.by_class.items()
    }
    assert (folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="already exists"):
        evaluate(finished_run, device="cpu", output=folder)
    evaluate(finished_run, device="cpu", output=folder, force=True)
    with pytest.raises(UserError, match="lies in the run folder"):
        evaluate(finished_run, device="cpu", output=finished_run / "out")


def test_content_counts_not_names(finished_run: Path, tones: Path, tmp_path):
    trained = json.loads((finished_run / "fold-1" / "model" / "trained_on.json").read_text(encoding="utf-8"))
    known = next(iter(trained))
    (tmp_path / "low").mkdir()
    label = known.split("/")[0]
    (tmp_path / label).mkdir(exist_ok=True)
    shutil.copy(tones / known, tmp_path / label / "another-name.wav")
    (tmp_path / "readme.txt").write_text("x")
    soundfile.write(tmp_path / "low" / "new.wav", 0.3 * np.sin(np.arange(4000) / 4), 8000)
    results = evaluate_model(finished_run / "fold-1" / "model", str(tmp_path), device="cpu").as_json()
    assert results["trained_on"] == [f"{label}/another-name.wav"]
    assert results["clips"] == 2


def test_another_cut_of_a_recording_counts_too(train_tiny, tones: Path, tmp_path):
    """Known by its source, where a table gives one, though no file of it was heard."""

    def table(name: str, numbers: range) -> str:
        rows = [f"{label}/{number}.wav,{label},{label}{number % 3}" for label in ("low", "mid") for number in numbers]
        (tmp_path / name).write_text("\n".join(["path,label,source", *rows]))
        return f"{{name: csv, root: '{tones.as_posix()}', table: '{(tmp_path / name).as_posix()}', clip_seconds: 0.5}}"

    train_tiny(tmp_path / "run", f"dataset={table('first.csv', range(3))}", "dataset.num_folds=3", folds=[1])
    (tmp_path / "second.yaml").write_text(f"sample_rate: 8000\ndataset: {table('second.csv', range(3, 6))}\n")
    model = tmp_path / "run" / "fold-1" / "model"
    results = evaluate_model(model, str(tmp_path / "second.yaml"), device="cpu").as_json()
    heard = {source for _, source, _ in json.loads((model / "trained_on.json").read_text(encoding="utf-8")).values()}
    assert len(heard) == 4
    assert len(results["trained_on"]) == 4
    assert {name[:3] + str(int(name[4]) % 3) for name in results["trained_on"]} == heard


def test_classes_go_by_name_and_a_single_one_will_do(finished_run: Path, tones: Path, tmp_path):
    (tmp_path / "noise").mkdir()
    for number in (1, 2):
        shutil.copy(tones / "noise" / f"{number}.wav", tmp_path / "noise" / f"{number}.wav")
    results = evaluate_model(finished_run / "fold-2" / "model", str(tmp_path), device="cpu").as_json()
    counts = np.asarray(results["confusion"])
    # "noise" is class 0 of this data and class 3 of the model's.
    assert counts[3].sum() == counts.sum() == 2
    assert results["recall"]["low"] is None
    assert results["metrics"]["auroc"] is None


def test_an_unknown_class_is_one_line(finished_run: Path, tmp_path):
    (tmp_path / "whale").mkdir()
    soundfile.write(tmp_path / "whale" / "1.wav", np.ones(4000) * 0.1, 8000)
    with pytest.raises(UserError, match=r"does not know: whale; it knows high, low, mid, noise") as error:
        evaluate_model(finished_run / "fold-1" / "model", str(tmp_path), device="cpu")
    assert len(error.value.lines) == 1


def test_data_by_a_config(finished_run: Path, tiny_yaml: str, tmp_path):
    # Rate and window of the config do not matter: those of the model do.
    text = tiny_yaml.replace("clip_seconds: 0.5", "clip_seconds: 2").replace("sample_rate: 8000", "sample_rate: 16000")
    (tmp_path / "other.yaml").write_text(text, encoding="utf-8")
    by_config = evaluate_model(finished_run / "fold-1" / "model", str(tmp_path / "other.yaml"), device="cpu").as_json()
    root = yaml.safe_load(text)["dataset"]["root"]
    by_root = evaluate_model(finished_run / "fold-1" / "model", root, device="cpu").as_json()
    assert by_config["metrics"] == by_root["metrics"]


def test_what_does_not_go_together(finished_run: Path, tmp_path):
    with pytest.raises(UserError, match="data is for a model"):
        evaluate(finished_run, "toy", device="cpu")
    with pytest.raises(UserError, match="give data, the root"):
        evaluate(finished_run / "fold-1" / "model", None, device="cpu")
    with pytest.raises(UserError, match="not a model; expected"):
        evaluate(tmp_path, None, device="cpu")
    (tmp_path / "data.txt").write_text("x")
    with pytest.raises(UserError, match="expected a config file or the root folder"):
        evaluate(finished_run / "fold-1" / "model", str(tmp_path / "data.txt"), device="cpu")
    with pytest.raises(UserError, match="no such file"):
        evaluate(finished_run / "fold-1" / "model", str(tmp_path / "nowhere"), device="cpu")


def test_a_run_without_a_finished_fold(finished_run: Path, tmp_path):
    shutil.copy(finished_run / "config.yaml", tmp_path)
    with pytest.raises(UserError, match="no finished fold yet"):
        evaluate(tmp_path, None, device="cpu")


def test_a_run_whose_data_changed(train_tiny, tones: Path, tmp_path):
    shutil.copytree(tones, tmp_path / "tones")
    train_tiny(tmp_path / "run", f"dataset.root='{(tmp_path / 'tones').as_posix()}'", "train.epochs=1", folds=[1])
    soundfile.write(tmp_path / "tones" / "low" / "0.wav", np.zeros(4000), 8000)
    with pytest.raises(UserError, match="the data changed since the run"):
        evaluate(tmp_path / "run", None, device="cpu")


def test_one_label_a_clip_is_not_asked_of_clips_with_several(finished_run: Path, tones: Path, tmp_path: Path):
    rows = ["path,label", f"{tones.as_posix()}/low/0.wav,low|mid", f"{tones.as_posix()}/mid/0.wav,mid"]
    (tmp_path / "several.csv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "several.yaml").write_text(
        f"dataset: {{name: csv, table: '{(tmp_path / 'several.csv').as_posix()}'}}", encoding="utf-8"
    )
    with pytest.raises(UserError, match="several labels"):
        evaluate_model(finished_run / "fold-1" / "model", str(tmp_path / "several.yaml"), device="cpu")
