"""On a GPU: what is heard is what the processor hears, and a run trains, is killed, goes on and is taken away."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosurvey.artefact.load import load
from audiosurvey.augmentation.settings import MEL_MIXINGS, WAVE_MIXINGS
from audiosurvey.runs.results.predictions import read_predictions

pytestmark = pytest.mark.gpu

Train = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("mixing", WAVE_MIXINGS + MEL_MIXINGS)
@pytest.mark.parametrize("order", ["first", "last"])
def test_every_augmentation_as_on_the_processor(
    mixing: str, order: str, augmented: Any, assert_heard_alike: Any
) -> None:
    assert_heard_alike(augmented(mixing, order, "cuda"), augmented(mixing, order, "cpu"))


@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16"])
def test_a_run_learns_and_its_model_answers_alike_on_the_processor(
    precision: str, train_tiny: Train, tmp_path: Path, tones: Path
) -> None:
    run = tmp_path / "run"
    found = train_tiny(run, "train.epochs=8", f"precision={precision}", folds=[1], device="cuda")
    assert found["folds"][0]["accuracy"] > 0.7
    clips, _, scores_NK = read_predictions(run / "fold-1" / "predictions.csv")
    model = load(run / "fold-1" / "model")
    for clip, score_K in zip(clips, scores_NK, strict=True):
        told = model.predict(tones / clip)
        np.testing.assert_allclose([told[label] for label in model.labels], score_K, atol=0.01)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_killed_run_goes_on(
    precision: str, tiny_yaml: str, command: Any, process: Any, wait_for_lines: Any, tmp_path: Path
) -> None:
    config, run = tmp_path / "tiny.yaml", tmp_path / "run"
    text = tiny_yaml.replace("epochs: 2", "epochs: 60").replace("precision: fp32", f"precision: {precision}")
    config.write_text(text, encoding="utf-8")
    words = ("train", config, "--run-dir", run, "--device", "cuda", "--folds", "1")
    first = process(*words)
    metrics = run / "fold-1" / "metrics.jsonl"
    wait_for_lines(metrics, 3, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert command(*words, "--resume")[0] == 0
    epochs = [json.loads(line)["epoch"] for line in metrics.read_text(encoding="utf-8").splitlines()]
    assert epochs == list(range(1, 61))


def test_folds_side_by_side(train_tiny: Train, tmp_path: Path) -> None:
    found = train_tiny(tmp_path / "run", "train.epochs=8", jobs=3, device="cuda", final=True)
    assert [row["fold"] for row in found["folds"]] == [1, 2, 3]
    assert found["mean"]["accuracy"] > 0.7
    assert (tmp_path / "run" / "model" / "weights.safetensors").exists()


def test_synchronised_norms_in_one_process_are_plain_norms(train_tiny: Train, tmp_path: Path) -> None:
    found = [
        train_tiny(tmp_path / str(synced), f"train.sync_batchnorm={synced}", folds=[1], device="cuda")
        for synced in (False, True)
    ]
    plain, synced = (run["folds"][0]["loss"] for run in found)
    assert synced == pytest.approx(plain, abs=1e-3)
