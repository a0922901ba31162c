"""On a GPU: what is heard is what the processor hears, and a run trains, is killed, goes on and is taken away."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from audiosurvey.config.loader import load_config
from audiosurvey.deploy.load import load
from audiosurvey.evaluation.predictions import read_predictions
from audiosurvey.evaluation.stage import Stage
from audiosurvey.pipeline import prepare
from audiosurvey.training.devices import make_accelerator
from audiosurvey.training.step import render

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

Train = Callable[..., dict[str, Any]]

ALL_BUT_MIXING = [
    f"augmentation.{name}.p=0.5"
    for name in (
        *("speed", "polarity", "gain", "segment_gain", "shift", "cyclic_shift", "reverb", "time_shift"),
        *("wave_masking", "phase_noise", "noise", "sine", "band_jitter", "filter_augment", "dropblock"),
        *("time_masking", "freq_masking"),
    )
]
MIXINGS = ("mixup", "timemix", "freqmix", "phmix", "mel_mixup", "cutmix")


def stage_on(device: str, tones: Path, *overrides: str) -> Stage:
    config = load_config(
        "esc50",
        (
            f"dataset={{name: folder, root: '{tones.as_posix()}', num_folds: 3, clip_seconds: 1}}",
            "train.num_workers=0",
            "model={preset: tiny}",
            *overrides,
        ),
    ).config
    sounds = prepare(config.dataset, config.sample_rate)
    return Stage(
        config,
        sounds,
        sounds.table.clips,
        accelerator=make_accelerator(device, "fp32"),
        settings=config.train,
        name="train",
        fold=1,
    )


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("order", ["first", "last"])
def test_every_augmentation_as_on_the_processor(mixing: str, order: str, tones: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", np.exp(-np.arange(900) / 100) * (-1.0) ** np.arange(900), 16_000)
    rooms = f"augmentation.reverb.folder={tmp_path.as_posix()}"
    mixed = [f"augmentation.{name}.p={0.8 if name == mixing else 0}" for name in MIXINGS]
    shown = []
    for device in ("cpu", "cuda"):
        stage = stage_on(device, tones, *ALL_BUT_MIXING, rooms, *mixed, f"augmentation.mix_waves={order}")
        batches = stage.batches.epoch(3)
        heard, targets = render(next(batches), 3, stage.chain, stage.front_end, torch.device(device))
        batches.close()
        assert isinstance(heard, torch.Tensor)
        assert heard.device.type == device
        shown.append((heard.cpu(), targets.weighted_BK.cpu()))
    (expected_BCTF, truth_BK), (found_BCTF, target_BK) = shown
    torch.testing.assert_close(target_BK, truth_BK, atol=1e-5, rtol=0)
    # Decibels; in a silent cell a rounding is a large share of nothing.
    far_BCTF = (found_BCTF - expected_BCTF).abs()
    assert far_BCTF.median() < 1e-3
    assert (far_BCTF > 0.1).float().mean() < 1e-3


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
def test_a_killed_run_goes_on(precision: str, tiny_yaml: str, command: Any, process: Any, tmp_path: Path) -> None:
    config, run = tmp_path / "tiny.yaml", tmp_path / "run"
    text = tiny_yaml.replace("epochs: 2", "epochs: 60").replace("precision: fp32", f"precision: {precision}")
    config.write_text(text, encoding="utf-8")
    words = ("train", config, "--run-dir", run, "--device", "cuda", "--folds", "1")
    first = process(*words)
    metrics = run / "fold-1" / "metrics.jsonl"
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < 3:
        assert first.poll() is None, first.communicate()[1]
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
