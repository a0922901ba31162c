"""On a GPU: what is heard is what the processor hears, and a run trains, is killed, goes on and is taken away."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audiosurvey.artefact.load import load
from audiosurvey.augment.settings import MEL_MIXINGS, WAVE_MIXINGS, AugmentationConfig
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.training.step import read_results

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


@pytest.mark.parametrize("optimizer", ["adamw", "adams", "sgd"])
@pytest.mark.parametrize("mixing", [None, *WAVE_MIXINGS, *MEL_MIXINGS])
def test_no_step_waits_for_the_device(on_tones: Any, rooms: Path, mixing: str | None, optimizer: str) -> None:
    """But for fp16, whose loss scaler reads from the device whether a gradient overflowed."""
    names = [name for name, part in AugmentationConfig() if hasattr(part, "p")]
    chances = {name: 0.0 if mixing is None or name in WAVE_MIXINGS + MEL_MIXINGS else 0.5 for name in names}
    if mixing:
        chances[mixing] = 0.8
    keys = [f"augmentation.{name}.p={p}" for name, p in chances.items()]
    keys += [f"augmentation.reverb.folder={rooms.as_posix()}", f"optimizer.name={optimizer}"]
    stage = on_tones("tiny", *keys, "train.batch_size=8", "train.grad_clip_norm=1", device="cuda")
    step = stage.step(stage.build().train())
    first, second, *_ = stage.batches.epoch(1)
    # The first step fills tables and looks at the statistics that the network came with.
    step([first], epoch=1, step=0, lr=0.1)
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = step([second], epoch=1, step=1, lr=0.1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert read_results([result])[0].loss > 0
