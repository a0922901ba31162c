"""Encoders of the Hub from a config to a file for other runtimes: a probe, fine-tuning, the artefact, refusals."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audiosurvey
from audiosurvey.artefact.exported import load_exported
from audiosurvey.artefact.folder import Model, load_artefact
from audiosurvey.config.loader import load_text
from audiosurvey.detection.training import train_run
from audiosurvey.errors import UserError
from audiosurvey.exporting.export import export
from audiosurvey.reporting.listener import TerminalListener
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.tensorfile import load_tensors
from audiosurvey.threads import one_thread

pytest.importorskip("transformers")
Folder = Callable[[str], Path]

CONFIG = """
dataset: {{name: folder, root: '{root}', num_folds: 3, clip_seconds: 0.5}}
train: {{epochs: 2, lr: 0.003, batch_size: 8, num_workers: 0}}
augmentation: {{shorten: {{p: 0}}}}
model: {{blocks: [{{input: wave}}, {{encoder: {{hub: '{hub}'}}}}]}}
precision: fp32
tracking: []
"""


@pytest.fixture
def config(tones: Path) -> Callable[..., Any]:
    def load(hub: Path | str, *overrides: str) -> Any:
        return load_text(CONFIG.format(root=tones.as_posix(), hub=hub), "hub.yaml", overrides)

    return load


@pytest.fixture
def train(config: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    def run(folder: Path, run_dir: Path, *overrides: str, say: Callable[[str], None] = lambda line: None) -> Any:
        with one_thread():
            options = TrainOptions(run_dir, [1], device="cpu", detection=False)
            listener = TerminalListener(say=say, quiet=True)
            return train_run(config(folder, *overrides), options, listener).results.as_json()

    return run


def lines(call: Callable[[], object]) -> list[str]:
    with pytest.raises(UserError) as caught:
        call()
    return list(caught.value.lines)


def test_a_config_takes_rate_settings_and_weights_of_its_encoder(
    config: Callable[..., Any], hub_folder: Folder
) -> None:
    folder = hub_folder("clap")
    found = config(folder).config
    assert found.sample_rate == 48_000
    assert found.model.init == str(folder)
    block = found.model.blocks[1]
    assert block.encoder.config["model_type"] == "clap_audio_model"
    assert block.encoder.extractor["max_length_s"] == 2
    assert "id2label" not in block.encoder.config


@pytest.mark.parametrize("family", ["ast", "whisper", "wav2vec2"])
def test_a_probe_and_its_artefact_without_the_folder(
    family: str,
    train: Callable[..., dict[str, Any]],
    hub_folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    hub = tmp_path / "hub"
    shutil.copytree(hub_folder(family), hub)
    results = train(hub, tmp_path / "run", "train.head_only=true", say=said.append)
    assert results["folds"][0]["accuracy"] > 0.6
    assert results["init"] == str(hub)
    assert any("tensors taken" in line and "transformers, " in line for line in said)
    # Nothing but the model folder is left to read from.
    shutil.rmtree(hub)
    folder = tmp_path / "run" / "fold-1" / "model"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = audiosurvey.load(folder)
    assert isinstance(model, Model)
    assert model.golden is not None
    np.testing.assert_allclose(model.logits(model.golden.wave_BS), model.golden.logits_BK, atol=1e-4)


def test_fine_tuning_with_layer_decay_and_a_mixture(
    train: Callable[..., dict[str, Any]], hub_folder: Folder, tmp_path: Path
) -> None:
    layers = "model.blocks.1.encoder.layer=all"
    decay = ("optimizer.layer_decay=0.1", "train.weight_decay=0", "ema.decay=0")
    train(hub_folder("wavlm"), tmp_path / "run", layers, *decay)
    body, _ = load_tensors(tmp_path / "run" / "fold-1" / "model" / "weights.safetensors")
    before = load_tensors(hub_folder("wavlm") / "model.safetensors")[0]

    def moved(layer: int) -> float:
        name = f"encoder.layers.{layer}.feed_forward.output_dense.weight"
        return float((body[f"blocks.1.model.{name}"] - before[name]).abs().mean())

    assert 0 < 3 * moved(0) < moved(1)
    assert body["blocks.1.mixture"].any()


def test_a_frozen_encoder_learns_its_mixture(
    train: Callable[..., dict[str, Any]], hub_folder: Folder, tmp_path: Path
) -> None:
    said: list[str] = []
    options = ("model.blocks.1.encoder.layer=all", "model.freeze=body", "ema.decay=0")
    train(hub_folder("hubert"), tmp_path / "run", *options, say=said.append)
    body, _ = load_tensors(tmp_path / "run" / "fold-1" / "model" / "weights.safetensors")
    before = load_tensors(hub_folder("hubert") / "model.safetensors")[0]
    name = "encoder.layers.1.feed_forward.output_dense.weight"
    assert np.array_equal(body[f"blocks.1.model.{name}"], before[name])
    shares = body["blocks.1.mixture"].softmax(dim=0).tolist()
    assert len(set(shares)) == 3
    table = (tmp_path / "run" / "fold-1" / "layers.csv").read_text().splitlines()
    assert table == ["layer,weight", *(f"{layer},{share:.6f}" for layer, share in enumerate(shares))]
    assert any(f"weights of the encoder's layers (0: before the first): 0 {shares[0]:.3f}" in line for line in said)


def test_what_cannot_work_is_one_line(
    config: Callable[..., Any], hub_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    (empty := tmp_path / "empty").mkdir()
    (said,) = lines(lambda: config(empty))
    assert said == f"hub.yaml:5: model.blocks.1.encoder.hub: {empty}/config.json: no such file; the folder of an " + (
        "encoder has it, copy it there"
    )
    (said,) = lines(lambda: config("no/such-encoder"))
    assert (
        "without a network, provide a folder with config.json, preprocessor_config.json and model.safetensors" in said
    )
    (said,) = lines(lambda: config("nosuchfolder"))
    assert "no such folder, and not the name of a repository (user/name)" in said
    (empty / "config.json").write_text('{"model_type": "bert", "auto_map": {"AutoModel": "evil.Model"}}')
    (said,) = lines(lambda: config(empty))
    assert "model type 'bert': not a known audio encoder (clap, audio-spectrogram-transformer, whisper" in said
    ast = hub_folder("ast")
    (said,) = lines(lambda: config(ast, "sample_rate=22050"))
    assert said.startswith("--set sample_rate: 22050, the encoder ")
    assert said.endswith("was trained at 16000 Hz; write sample_rate: 16000")
    (said,) = lines(lambda: config(ast, "dataset.clip_seconds=10"))
    assert "takes clips of at most 1.3" in said
    (said,) = lines(lambda: config(hub_folder("whisper"), "model.blocks.1.encoder.pool=token"))
    assert "has no class token; use pool: mean" in said
    (said,) = lines(lambda: config(hub_folder("clap"), "model.blocks.1.encoder.layer=all"))
    assert "differ in width; use layer: last" in said
    (said,) = lines(lambda: config(ast, "model.blocks.1.encoder.layer=4"))
    assert "has 3 layers, not 4" in said
    (said,) = lines(lambda: config(ast, "model.blocks.1.encoder.layer=all", "train.head_only=true"))
    assert said.startswith("--set train.head_only: trains no mixture of the encoder's layers")


def test_weights_that_are_not_there_or_pickled(
    train: Callable[..., dict[str, Any]], hub_folder: Folder, tmp_path: Path
) -> None:
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((hub_folder("hubert") / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    (said,) = lines(lambda: train(tmp_path, tmp_path / "run"))
    assert f"{tmp_path}: no model.safetensors in this folder; copy it there" in said
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    (said,) = lines(lambda: train(tmp_path, tmp_path / "run"))
    assert "its weights cannot be read" in said


@pytest.mark.slow
@pytest.mark.parametrize("family", ["ast", "whisper", "clap", "wav2vec2", "hubert", "wavlm", "data2vec"])
def test_export_to_onnx(family: str, train: Callable[..., dict[str, Any]], hub_folder: Folder, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    train(hub_folder(family), tmp_path / "run", "train.head_only=true")
    model = load_artefact(tmp_path / "run" / "fold-1" / "model")
    export(model, tmp_path / "model.onnx", "onnx")
    exported = load_exported(tmp_path / "model.onnx")
    assert model.golden is not None
    wave_BS = model.golden.wave_BS
    assert np.abs(exported.scores(wave_BS) - model.scores(wave_BS)).max() < 1e-4
