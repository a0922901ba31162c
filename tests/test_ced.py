"""CED from a checkpoint to a file for other runtimes: probe and fine-tuning of a fold, the artefact, the export."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ced_files import RATE, made

import audiosurvey
from audiosurvey.artefact.exported import load_exported
from audiosurvey.artefact.folder import Model, load_artefact
from audiosurvey.config.loader import load_config
from audiosurvey.detection.training import train_run
from audiosurvey.exporting.export import export
from audiosurvey.reporting.listener import TerminalListener
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.tensorfile import load_tensors
from audiosurvey.threads import one_thread


@pytest.fixture(scope="module")
def trained(tones: Path, small_ced: str) -> Callable[..., dict[str, Any]]:
    def train(recipe: str, run: Path, *overrides: str) -> dict[str, Any]:
        data = f"dataset={{name: folder, root: '{tones.as_posix()}', num_folds: 3, clip_seconds: 0.5}}"
        common = (data, f"model={small_ced}", "tracking=[]", "precision=fp32")
        loaded = load_config(recipe, (*common, "train.num_workers=0", "train.batch_size=8", *overrides))
        with one_thread():
            options = TrainOptions(run, [1], device="cpu", detection=False)
            return train_run(loaded, options, TerminalListener(say=lambda line: None, quiet=True)).results.as_json()

    return train


@pytest.fixture(scope="module")
def tuned(trained: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("ced") / "run"
    trained("finetune-ced-tiny", run, "train.epochs=2", "model.keep_statistics=true")
    return run


@pytest.fixture(scope="module")
def begun() -> dict[str, Any]:
    """The tensors that training starts from."""
    return made(width=64, layers=2)


def test_a_probe_of_made_weights(trained: Callable[..., dict[str, Any]], tmp_path: Path, begun: dict[str, Any]) -> None:
    results = trained("probe-ced-tiny", tmp_path / "run")
    assert results["folds"][0]["accuracy"] > 0.5
    assert results["init"].endswith("small.pt")
    body, _ = load_tensors(tmp_path / "run" / "fold-1" / "model" / "weights.safetensors")
    assert np.array_equal(body["blocks.3.linear1.weight"], begun["blocks.1.mlp.fc1.weight"])


def test_fine_tuning_moves_all_layers_and_keeps_the_statistics(tuned: Path, begun: dict[str, Any]) -> None:
    body, _ = load_tensors(tuned / "fold-1" / "model" / "weights.safetensors")

    for layer in range(2):
        assert (body[f"blocks.{layer + 2}.linear1.weight"] != begun[f"blocks.{layer}.mlp.fc1.weight"]).any()
    assert np.array_equal(body["blocks.0.norm.running_mean"], begun["init_bn.1.running_mean"])


def test_the_artefact_is_the_model(tuned: Path) -> None:
    model = audiosurvey.load(tuned / "fold-1" / "model")
    assert model.sample_rate == RATE
    assert isinstance(model, Model)
    golden = model.golden
    assert golden is not None
    np.testing.assert_allclose(model.logits(golden.wave_BS), golden.logits_BK, atol=1e-4)
    # Any number of frames, also more than the positions.
    for seconds in (0.3, 12):
        assert np.isfinite(model.logits(np.zeros((1, round(seconds * RATE)), np.float32))).all()


@pytest.mark.slow
def test_the_exported_file_scores_as_the_model_does(tuned: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = load_artefact(tuned / "fold-1" / "model")
    export(model, tmp_path / "model.onnx", "onnx")
    exported = load_exported(tmp_path / "model.onnx")
    assert model.golden is not None
    rng = np.random.default_rng(0)
    for seconds in (0.5, 3, 11):
        wave_BS = np.stack([np.resize(wave_S, round(seconds * RATE)) for wave_S in model.golden.wave_BS[:3]])
        # A loud clip, one whose noise is above its floor, and silence: each is compared with its own maximum.
        wave_BS[1] = 1e-3 * rng.standard_normal(wave_BS.shape[1])
        wave_BS[2] = 0
        difference = np.abs(exported.scores(wave_BS.astype(np.float32)) - model.scores(wave_BS.astype(np.float32)))
        assert difference.max() < 1e-4, seconds
