"""Tables that are declared multi-label, from the CSV to an evaluated model."""

from pathlib import Path

import numpy as np
import pytest

from audiosurvey.artefact.folder import load_artefact
from audiosurvey.runs.evaluation.heldout import evaluate_model
from audiosurvey.runs.results.predictions import read_predictions


@pytest.fixture
def table(tones: Path, tmp_path: Path) -> Path:
    """Two classes, clips of neither, and a class that the config does not select."""
    labels = {"low": "low", "mid": "mid", "high": "other", "noise": ""}
    rows = ["path,label,fold"]
    rows += [
        f"{tones.as_posix()}/{name}/{n}.wav,{label},{n % 2 + 1}" for name, label in labels.items() for n in range(6)
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_clips_of_no_class_train_and_test_as_negatives(tmp_path: Path, train_tiny, table: Path):
    dataset = f"{{name: csv, table: '{table.as_posix()}', clip_seconds: 0.5, multi_label: true, classes: [low, mid]}}"
    results = train_tiny(tmp_path / "run", f"dataset={dataset}", "loss.class_weights=balanced", folds=[1])
    assert results["classes"] == ["low", "mid"]
    assert results["dataset"]["clips"] == 24
    assert np.isfinite(results["folds"][0]["map"])
    clips, labels, scores_NK = read_predictions(tmp_path / "run" / "fold-1" / "predictions.csv")
    assert sorted(labels) == [""] * 6 + ["low"] * 3 + ["mid"] * 3
    assert len(clips) == 12
    assert scores_NK.shape == (12, 2)
    model = load_artefact(tmp_path / "run" / "fold-1" / "model")
    assert model.facts["multi_label"]


def test_data_of_a_multi_label_model_may_have_clips_of_no_class(tmp_path: Path, train_tiny, table: Path):
    dataset = f"{{name: csv, table: '{table.as_posix()}', clip_seconds: 0.5, multi_label: true}}"
    train_tiny(tmp_path / "run", f"dataset={dataset}", "train.epochs=1", final=True)
    config = tmp_path / "data.yaml"
    config.write_text(f"dataset: {{name: csv, table: '{table.as_posix()}'}}\n", encoding="utf-8")
    results = evaluate_model(tmp_path / "run" / "fold-1" / "model", str(config), device="cpu").as_json()
    assert results["clips"] == 24
