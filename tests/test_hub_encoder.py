"""Encoders of the Hub from a config to a file for other runtimes: a probe, fine-tuning, the artefact, refusals."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import audiosurvey
from audiosurvey.artefact.exported import load_exported
from audiosurvey.artefact.folder import Model, load_artefact
from audiosurvey.config.loader import load_text
from audiosurvey.demo.example_sounds import golden_examples
from audiosurvey.demo.sound_analysis import UploadLimits, analyse_sound
from audiosurvey.detection.training import train_run
from audiosurvey.errors import UserError
from audiosurvey.exporting.export import export
from audiosurvey.reporting.listener import TerminalListener
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.stages import embeddings
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


@pytest.mark.parametrize("family", ["ast", "whisper", "wav2vec2", "pe-a"])
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
    assert f"`pip install 'audiosurvey[hub]'`, because of its encoder {hub}." in (folder / "README.md").read_text()
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


@pytest.mark.parametrize("family", ["ast", "hubert"])
def test_a_probe_on_all_layers_looks_at_the_clips_once(
    family: str,
    train: Callable[..., dict[str, Any]],
    config: Callable[..., Any],
    hub_folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passes: list[int] = []
    true_compute = embeddings._compute
    monkeypatch.setattr(embeddings, "_compute", lambda *given: passes.append(1) or true_compute(*given))
    options = ("train.head_only=true", "model.blocks.1.encoder.layer=all", "train.head_penalty=auto")
    run = tmp_path / "run"
    (row,) = train(hub_folder(family), run, *options)["folds"]
    assert passes == [1]
    layers = 4 if family == "ast" else 3
    assert [one["layer"] for one in row["layers"]] == list(range(layers))
    assert sum(one["weight"] for one in row["layers"]) == pytest.approx(1, abs=1e-5)
    assert max(one["accuracy"] for one in row["layers"]) > 0.5
    # The model mixes as the probe did, and its scores are those of the run.
    body, _ = load_tensors(run / "fold-1" / "model" / "weights.safetensors")
    shares = body["blocks.1.mixture"].softmax(dim=0).tolist()
    assert [one["weight"] for one in row["layers"]] == pytest.approx(shares, abs=1e-6)
    assert len({round(share, 3) for share in shares}) > 1
    again = audiosurvey.evaluate(run, device="cpu").as_json()
    assert again["folds"][0]["accuracy"] == row["accuracy"]
    assert again["folds"][0]["loss"] == pytest.approx(row["loss"], abs=1e-4)
    table = (run / "fold-1" / "layers.csv").read_text().splitlines()
    assert table[0] == "layer,weight,accuracy"
    assert table[2] == f"1,{row['layers'][1]['weight']:.6f},{row['layers'][1]['accuracy']:.6f}"
    card = (run / "fold-1" / "model" / "README.md").read_text()
    assert f"weights of the encoder's layers (0: before the first): 0 {shares[0]:.3f}, 1 {shares[1]:.3f}" in card
    # A probe on one layer of its own scores as well, up to rounding: the features of a layer are those of `layer: 1`.
    one = train(hub_folder(family), tmp_path / "one", options[0], "model.blocks.1.encoder.layer=1")
    kept, alone = (load_tensors(path / "embeddings.safetensors")[0]["embedding"] for path in (run, tmp_path / "one"))
    torch.testing.assert_close(kept.unflatten(1, (layers, -1))[:, 1], alone, rtol=0, atol=1e-5)
    assert "layers" not in one["folds"][0]


def test_scores_of_layers_do_not_depend_on_the_test_clips(
    train: Callable[..., dict[str, Any]],
    hub_folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ("train.head_only=true", "model.blocks.1.encoder.layer=all")
    (row,) = train(hub_folder("hubert"), tmp_path / "run", *options)["folds"]
    true_compute = embeddings._compute

    def spoiled(stage: Any, *rest: Any) -> dict[str, torch.Tensor]:
        trained = {clip.id for clip in stage.train_clips}
        return {name: each if name in trained else -each for name, each in true_compute(stage, *rest).items()}

    monkeypatch.setattr(embeddings, "_compute", spoiled)
    (other,) = train(hub_folder("hubert"), tmp_path / "other", *options)["folds"]
    assert other["loss"] != row["loss"]
    assert other["layers"] == row["layers"]


def test_a_final_model_with_a_mixture(config: Callable[..., Any], hub_folder: Folder, tmp_path: Path) -> None:
    found = config(hub_folder("hubert"), "train.head_only=true", "model.blocks.1.encoder.layer=all")
    with one_thread():
        options = TrainOptions(tmp_path / "run", None, final=True, device="cpu", detection=False)
        train_run(found, options, TerminalListener(say=lambda line: None, quiet=True))
    body, _ = load_tensors(tmp_path / "run" / "model" / "weights.safetensors")
    shares = body["blocks.1.mixture"].softmax(dim=0).tolist()
    assert len({round(share, 3) for share in shares}) > 1
    assert f"(0: before the first): 0 {shares[0]:.3f}," in (tmp_path / "run" / "model" / "README.md").read_text()
    model = load_artefact(tmp_path / "run" / "model")
    assert model.golden is not None
    np.testing.assert_allclose(model.logits(model.golden.wave_BS), model.golden.logits_BK, atol=1e-4)


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
    assert "model type 'bert': not a known audio encoder (clap, pe_audio, pe_audio_video, audio-spectrogram-" in said
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
    mixed = ("model.blocks.1.encoder.layer=all", "train.head_only=true")
    config(ast, *mixed)
    blocks = f"model.blocks=[{{input: wave}}, {{encoder: {{hub: '{ast}', layer: all}}}}, {{layer_norm: 0.00001}}]"
    for more in ((blocks, "train.head_only=true"), (*mixed, "model.members=2")):
        said = lines(lambda more=more: config(ast, *more))[-1]
        assert said.startswith(
            "--set train.head_only: fits the mixture of the encoder's layers (layer: all) only where"
        )


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


@pytest.mark.parametrize("family", ["ast", "wavlm"])
def test_demo_and_server(
    family: str, train: Callable[..., dict[str, Any]], hub_folder: Folder, tones: Path, tmp_path: Path
) -> None:
    """A long sound, which is cut into windows, and one shorter than a window: the scores are those of predict."""
    train(hub_folder(family), tmp_path / "run", "train.head_only=true")
    model = audiosurvey.load(tmp_path / "run" / "fold-1" / "model")
    short, long = tones / "high" / "1.wav", tmp_path / "long.wav"
    wave_S, rate = soundfile.read(short)
    soundfile.write(long, np.tile(wave_S, 5), rate)
    expected = model.predict(long)
    heard = analyse_sound(long, model, limits=UploadLimits())
    assert heard.scores == pytest.approx(expected, abs=1e-6)
    assert len(heard.over_time) > 1
    assert np.isfinite(heard.mel_TF).all()
    assert heard.mel_TF.std() > 0
    (tmp_path / "examples").mkdir()
    assert golden_examples(model, tmp_path / "examples")
    pytest.importorskip("fastapi", reason="the API needs audiosurvey[serve]")
    from fastapi.testclient import TestClient

    from audiosurvey.serving.app import build_app
    from audiosurvey.serving.server import ServeOptions

    (tmp_path / "uploads").mkdir()
    with TestClient(build_app(model, family, ServeOptions(), tmp_path / "uploads")) as client:
        for path in (short, long):
            kind = {"content-type": "audio/wav"}
            answer = client.post("/predict?scores=true", content=path.read_bytes(), headers=kind)
            assert answer.status_code == 200, answer.text
            assert answer.json()["results"][0]["scores"] == pytest.approx(model.predict(path), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["ast", "whisper", "clap", "wav2vec2", "hubert", "wavlm", "data2vec", "pe-a"])
def test_export_to_onnx(family: str, train: Callable[..., dict[str, Any]], hub_folder: Folder, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    train(hub_folder(family), tmp_path / "run", "train.head_only=true")
    model = load_artefact(tmp_path / "run" / "fold-1" / "model")
    export(model, tmp_path / "model.onnx", "onnx")
    exported = load_exported(tmp_path / "model.onnx")
    assert model.golden is not None
    wave_BS = model.golden.wave_BS
    assert np.abs(exported.scores(wave_BS) - model.scores(wave_BS)).max() < 1e-4


def test_the_estimator_refuses_a_mixture_of_layers(config: Callable[..., Any], hub_folder: Folder) -> None:
    found = config(hub_folder("hubert"), "train.head_only=true", "model.blocks.1.encoder.layer=all").config
    classifier = audiosurvey.AudioClassifier(found)
    (said,) = lines(lambda: classifier.fit([np.zeros(8000, np.float32)] * 4, ["a", "b"] * 2))
    assert "AudioClassifier fits no mixture of layers (layer: all); use layer: mean" in said
