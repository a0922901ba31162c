"""Model files as encoders from a config to predictions: a probe, the artefact without the file, refusals."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from encoder_files import write_onnx
from fake_hub import FakeHub

import audiosurvey
from audiosurvey.artefact.folder import Model, load_artefact
from audiosurvey.config.loader import load_text
from audiosurvey.config.network import network_of
from audiosurvey.errors import UserError
from audiosurvey.exporting.export import export
from audiosurvey.model.weights.pretrained import open_weights
from audiosurvey.runs.stages import embeddings

pytest.importorskip("onnxruntime")
Command = Callable[..., tuple[int, str, str]]

CONFIG = """\
dataset: {{name: folder, root: '{root}', num_folds: 3, clip_seconds: 0.5}}
model:
  blocks:
    - input: wave
    - encoder: {{file: {file}, sample_rate: 8000}}
train: {{head_only: true, batch_size: 8, num_workers: 0}}
tracking: []
"""


@pytest.fixture
def folder(tmp_path: Path, tones: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a config and its encoder, named by a relative path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    write_onnx(tmp_path / "models" / "encoder.onnx", samples=2000)
    (tmp_path / "c.yaml").write_text(CONFIG.format(root=tones.as_posix(), file="models/encoder.onnx"))
    return tmp_path


def lines(call: Callable[[], object]) -> list[str]:
    with pytest.raises(UserError) as caught:
        call()
    return list(caught.value.lines)


def faults(folder: Path, *overrides: str) -> list[str]:
    return lines(lambda: load_text((folder / "c.yaml").read_text(), "c.yaml", overrides))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each computation of embeddings: of how many clips."""
    clips: list[int] = []
    before = embeddings._compute

    def compute(stage: Any, network: Any, progress: Any) -> Any:
        found = before(stage, network, progress)
        clips.append(len(found))
        return found

    monkeypatch.setattr(embeddings, "_compute", compute)
    return clips


def test_a_config_takes_rate_weights_and_settings_of_the_file(folder: Path) -> None:
    found = load_text((folder / "c.yaml").read_text(), "c.yaml").config
    block: Any = found.model.network_blocks()[1]
    assert (found.sample_rate, found.model.init) == (8000, "models/encoder.onnx")
    assert (block.encoder.output, block.encoder.window_seconds) == ("embedding", 0.25)
    # The resolved config is read without the file.
    again = load_text(load_text((folder / "c.yaml").read_text(), "c.yaml").resolved_yaml(), "again.yaml")
    assert again.config == found


def test_a_probe_beats_chance_and_embeds_every_clip_once(
    folder: Path, command: Command, counted: list[int], tones: Path
) -> None:
    status, _, err = command("train", "c.yaml", "--run-dir", "run", "--folds", "1")
    assert status == 0, err
    assert "network: 100 parameters, unknown MACs a clip of 0.5 s" in err
    assert "init: models/encoder.onnx (file of another runtime): taken as it is\n" in err
    assert counted == [len(list(tones.rglob("*.wav")))]
    results = json.loads((folder / "run" / "results.json").read_text())
    assert results["folds"][0]["accuracy"] > 0.6
    assert results["init"] == "models/encoder.onnx"
    # A part of them would put the model first wherever costs are compared.
    assert results["macs"] is None
    counted.clear()
    assert command("train", "c.yaml", "--run-dir", "run", "--resume")[0] == 0
    assert counted == []
    assert len(json.loads((folder / "run" / "results.json").read_text())["folds"]) == 3
    assert len(list((folder / "run").rglob("*.safetensors"))) == 1 + 3 * 2


def test_embeddings_belong_to_a_tensor_of_the_file(folder: Path) -> None:
    write_onnx(folder / "models" / "encoder.onnx", samples=2000, outputs=("embedding", "pooled"))
    names = set()
    for options in (("output=embedding",), ("output=pooled",), ("output=pooled", "pool=max")):
        overrides = [f"model.blocks.1.encoder.{option}" for option in options]
        config = load_text((folder / "c.yaml").read_text(), "c.yaml", overrides).config
        network = network_of(config, 3)
        assert config.model.init is not None
        open_weights(config.model.init).put_into(network)
        stage: Any = SimpleNamespace(sounds=SimpleNamespace(store=SimpleNamespace(hash="store"), window_samples=4000))
        names.add(embeddings._name(stage, network))
    assert len(names) == 3


def test_the_model_folder_is_enough(folder: Path, command: Command, tones: Path, tmp_path: Path) -> None:
    assert command("train", "c.yaml", "--run-dir", "run", "--folds", "1")[0] == 0
    sounds = sorted(tones.rglob("*.wav"))[:3]
    before = command("predict", "run/fold-1/model", *sounds)
    shutil.copytree("run/fold-1/model", "elsewhere/model")
    card = (tmp_path / "elsewhere" / "model" / "README.md").read_text()
    assert (
        "```\n\nIt needs `pip install 'audiosurvey[onnx]'`, because of its encoder encoder.onnx, a file that "
        "`weights.safetensors` contains.\n\n## Results\n"
    ) in card
    shutil.rmtree("run")
    shutil.rmtree("models")
    assert command("predict", "elsewhere/model", *sounds)[:2] == before[:2]
    assert before[0] == 0
    model = audiosurvey.load(tmp_path / "elsewhere" / "model")
    assert isinstance(model, Model)
    assert model.golden is not None
    np.testing.assert_allclose(model.logits(model.golden.wave_BS), model.golden.logits_BK, atol=1e-4)
    assert model.embed(sounds[0]).shape == (24,)
    (said,) = lines(lambda: export(model, tmp_path / "model.onnx", "onnx"))
    assert said == (
        "this network cannot be exported: its encoder encoder.onnx is run by its own runtime; use the model folder, "
        "which contains the file, with predict, serve, demo or audiosurvey.load"
    )
    assert not (tmp_path / "model.onnx").exists()
    with (tmp_path / "elsewhere" / "model" / "weights.safetensors").open("r+b") as weights:
        weights.seek(-50, 2)
        weights.write(b"\0" * 8)
    (said,) = lines(lambda: load_artefact(tmp_path / "elsewhere" / "model"))
    assert "weights.safetensors was changed since it was written" in said


def test_push_says_that_the_file_is_published(folder: Path, command: Command, hub: FakeHub) -> None:
    assert command("train", "c.yaml", "--run-dir", "run", "--folds", "1")[0] == 0
    status, out, _ = command("push", "run/fold-1/model", "me/tones")
    assert status == 0
    assert "included: encoder.onnx, the file of the encoder, under its own licence\n" in out


def test_a_missing_runtime_is_said_before_the_first_sound(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("train", "c.yaml", "--run-dir", "run", "--folds", "1")[0] == 0
    monkeypatch.setattr("audiosurvey.extras.find_spec", lambda name: None)
    assert lines(lambda: audiosurvey.load("run/fold-1/model")) == [
        "run/fold-1/model: encoder encoder.onnx: onnx, onnxruntime: not installed; pip install 'audiosurvey[onnx]'"
    ]
    # What computes no scores needs no runtime.
    assert load_artefact(folder / "run" / "fold-1" / "model").labels == ["high", "low", "mid", "noise"]


def test_a_file_that_moved_after_training(folder: Path, command: Command) -> None:
    assert command("train", "c.yaml", "--run-dir", "run", "--folds", "1")[0] == 0
    (folder / "models" / "encoder.onnx").rename(folder / "encoder.onnx")
    status, _, err = command("reproduce", "run", "--run-dir", "again")
    assert status == 2
    assert err == (
        "model.init: models/encoder.onnx: no such file (relative to the working directory); if the encoder's file was "
        "moved, put it back, or set model.init to its new place\n"
    )
    assert command("reproduce", "run", "--run-dir", "again", "--set", "model.init=encoder.onnx")[0] == 0


def test_layers_after_it_are_trained(folder: Path, command: Command) -> None:
    blocks = "model.blocks=[{input: wave}, {encoder: {file: models/encoder.onnx, sample_rate: 8000}}, {fc: 16}]"
    options = ("train.head_only=false", "model.freeze=2", "train.epochs=2", "train.lr=0.01", "precision=fp32")
    words = [word for option in (blocks, *options) for word in ("--set", option)]
    status, _, err = command("train", "c.yaml", "--run-dir", "run", "--folds", "1", *words)
    assert status == 0, err
    kept = audiosurvey.load(folder / "run" / "fold-1" / "model")
    assert isinstance(kept, Model)
    content = kept.network.state_dict()["blocks.1.content"].numpy().tobytes()
    assert content == (folder / "models" / "encoder.onnx").read_bytes()


def test_a_file_that_changes_between_check_and_resume(folder: Path, command: Command) -> None:
    assert command("train", "c.yaml", "--run-dir", "run", "--folds", "1")[0] == 0
    write_onnx(folder / "models" / "encoder.onnx", samples=1000)
    status, _, err = command("train", "run/config.yaml", "--run-dir", "run", "--resume")
    assert status == 2
    assert err.endswith(
        "model.init: not the file encoder.onnx that the config was made with, or it was changed since\n"
    )


def test_a_resolved_config_with_another_output_is_read_anew(folder: Path) -> None:
    resolved = load_text((folder / "c.yaml").read_text(), "c.yaml").resolved_yaml()
    write_onnx(folder / "models" / "encoder.onnx", samples=2000, outputs=("embedding", "scores"))
    config = load_text(resolved, "again.yaml", ["model.blocks.1.encoder.output=scores"]).config
    other: Any = config.model.network_blocks()[1]
    assert (other.encoder.output, other.encoder.graph.output, other.encoder.graph.width) == ("scores", "scores", 3)


def test_what_is_not_frozen_is_one_line(folder: Path) -> None:
    mend = (
        "c.yaml:5: model.blocks.1.encoder: an encoder from a file is not trained; write train: {head_only: true} for a "
        "linear probe, or model.freeze: 2 to train the blocks after it"
    )
    assert faults(folder, "train.head_only=false") == [mend]
    assert faults(folder, "train.head_only=false", "model.freeze=1") == [mend]
    thawed = "model={freeze: 2, thaw: [{epoch: 2}], blocks: [{input: wave}, {encoder: {file: models/encoder.onnx}}]}"
    assert (
        "an encoder from a file is not trained"
        in faults(folder, thawed, "model.blocks.1.encoder.sample_rate=8000", "train.head_only=false")[0]
    )


def test_faults_have_the_line_of_their_key(folder: Path) -> None:
    assert faults(folder, "model.blocks.1.encoder.file=models/encode.onnx") == [
        "--set model.blocks.1.encoder.file: models/encode.onnx: no such file; did you mean models/encoder.onnx?"
    ]
    (said_rate,) = faults(folder, "model.blocks.1.encoder.sample_rate=null")
    assert said_rate.startswith(
        "c.yaml:5: model.blocks.1.encoder.file: models/encoder.onnx: the file does not state its"
    )
    (said_both,) = faults(folder, "model.blocks.1.encoder.hub=user/name")
    assert said_both == "c.yaml:5: model.blocks.1.encoder.file: cannot be combined with `hub`; keep one of the two"
    (said_none,) = faults(folder, "model.blocks.1.encoder={pool: mean}")
    assert said_none.endswith("name the encoder: `hub: NAME`, or `file: model.onnx`")
    (said_layer,) = faults(folder, "model.blocks.1.encoder.layer=all")
    assert said_layer.endswith("model.blocks.1.encoder.layer: belongs to an encoder of the `hub`; leave it out")
    (said_rates,) = faults(folder, "sample_rate=16000")
    assert "16000, the encoder encoder.onnx was trained at 8000 Hz; write sample_rate: 8000" in said_rates
    (said_output,) = faults(folder, "model.blocks.1.encoder.output=embeding")
    assert "the file has no tensor 'embeding'; did you mean embedding?" in said_output


def test_features_that_are_not_finite_name_the_clips(folder: Path, command: Command, tmp_path: Path) -> None:
    import soundfile

    write_onnx(folder / "models" / "encoder.onnx", samples=2000, spread=True)
    for label in ("loud", "quiet"):
        (folder / "sounds" / label).mkdir(parents=True)
        for clip in range(6):
            wave = 0.1 * np.random.default_rng(clip).standard_normal(4000) * (label == "loud" or clip > 0)
            soundfile.write(folder / "sounds" / label / f"{clip}.wav", wave, 8000)
    words = ("--set", "dataset.root=sounds", "--set", "dataset.num_folds=2")
    status, _, err = command("train", "c.yaml", "--run-dir", "run", *words)
    assert status == 2
    assert err.endswith(
        "the scores are not finite; encoder.onnx may give NaN or infinity for these clips: leave them out "
        "(dataset.ignore). Else lower train.lr or set train.grad_clip_norm: 1. Clips: quiet/0.wav\n"
    )


def test_check_and_describe(folder: Path, command: Command) -> None:
    status, out, _ = command("describe", "c.yaml")
    assert status == 0
    assert "file: encoder.onnx" in out.replace("\n", "")
    assert "note: encoder.onnx: 6," in out
    status, out, err = command("check", "c.yaml")
    assert (status, "window_seconds: 0.25" in out) == (0, True)
    assert "c.yaml: valid; " in err
