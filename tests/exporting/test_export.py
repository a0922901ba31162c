"""`export`: what is in the file, that it is compared before it gets its name, and presets from end to end."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiosurvey.artefact.exported import load_exported
from audiosurvey.artefact.folder import Model
from audiosurvey.errors import UserError
from audiosurvey.exporting import export as exporting
from audiosurvey.exporting.export import export
from audiosurvey.exporting.parity import BATCHES, LENGTHS_S
from audiosurvey.exporting.result import ExportResult

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def model(model_of: Callable[..., Model], tiny_yaml: str) -> Model:
    return model_of(tiny_yaml)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx") / "model.onnx"


@pytest.fixture(scope="module")
def outcome(model: Model, file: Path) -> ExportResult:
    return export(model, file, "onnx")


def golden_BS(model: Model) -> np.ndarray:
    assert model.golden is not None
    return model.golden.wave_BS


def properties(path: Path) -> dict[str, str]:
    return {one.key: one.value for one in onnx.load(str(path)).metadata_props}


def test_onnx_says_what_it_is(model: Model, outcome: ExportResult, file: Path):
    proto = onnx.load(str(file))
    onnx.checker.check_model(proto)
    assert [one.version for one in proto.opset_import if one.domain == ""] == [18]
    (waveform,), (scores,) = proto.graph.input, proto.graph.output
    assert (waveform.name, scores.name) == ("waveform", "scores")
    assert waveform.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert [one.dim_param for one in waveform.type.tensor_type.shape.dim] == ["batch", "samples"]
    assert scores.type.tensor_type.shape.dim[1].dim_value == 5
    said = properties(file)
    assert json.loads(said["labels"]) == model.labels
    assert said["sample_rate"] == "8000"
    # No Fourier transform, so that every runtime can compute it; no trace of our source.
    assert not {node.op_type for node in proto.graph.node} & {"DFT", "STFT"}
    assert str(Path(exporting.__file__).parent).encode() not in proto.SerializeToString()
    assert "opset 18" in outcome.lines()[0]
    assert outcome.difference is not None
    assert outcome.difference <= 1e-4
    assert outcome.megabytes == pytest.approx(file.stat().st_size / 1e6)


def test_every_batch_and_length_is_compared(outcome: ExportResult):
    assert {(row.batch, row.seconds) for row in outcome.compared} == {
        (batch, seconds) for batch in BATCHES for seconds in (0.5, *LENGTHS_S)
    }
    table = [line for line in outcome.lines() if line.startswith("|")]
    assert table[0] == "| batch | 0.5 s | 1 s | 5 s | 30 s |"
    assert len(table) == 2 + len(BATCHES)


def test_binary_scores_do_not_sum_to_one(model_of: Callable[..., Model], tiny_yaml: str, tmp_path: Path):
    several = model_of(tiny_yaml, multi_label=True)
    export(several, tmp_path / "model.onnx", "onnx")
    wave_BS = golden_BS(several)
    given = load_exported(tmp_path / "model.onnx").scores(wave_BS)
    np.testing.assert_allclose(given, 1 / (1 + np.exp(-several.logits(wave_BS))), atol=1e-4)
    assert np.abs(given.sum(axis=1) - 1).max() > 0.1


def test_the_views_of_a_clip_are_in_the_file(model_of: Callable[..., Model], tiny_yaml: str, tmp_path: Path):
    several = model_of(tiny_yaml, "model.views=3")
    outcome = export(several, tmp_path / "model.onnx", "onnx")
    # Of any batch and length, as without.
    assert all(row.difference is not None and row.difference <= 1e-4 for row in outcome.compared)
    one = model_of(tiny_yaml)
    assert np.abs(one.scores(golden_BS(one)) - several.scores(golden_BS(one))).max() > 1e-3


def test_a_file_that_differs_is_not_written(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plain = exporting.Scorer.forward
    monkeypatch.setattr(exporting.Scorer, "forward", lambda self, waveform: plain(self, waveform * 0.5))
    (tmp_path / "model.onnx").write_bytes(b"what was there before")
    (tmp_path / "README.md").write_text("# A model\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"differ from the model's by 0.*nothing was written"):
        export(model, tmp_path / "model.onnx", "onnx", card=tmp_path / "README.md")
    assert (tmp_path / "model.onnx").read_bytes() == b"what was there before"
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "# A model\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "model.onnx"]


def test_a_model_that_is_not_what_it_was_is_not_written(model: Model, model_of, tiny_yaml: str, tmp_path: Path):
    changed = model_of(tiny_yaml)
    changed.golden = replace(changed.golden, logits_BK=changed.golden.logits_BK + 1)
    with pytest.raises(UserError, match="golden clips give other logits"):
        export(changed, tmp_path / "model.onnx", "onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_that_no_format_holds_says_why(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def forward(self: torch.nn.Module, waveform: torch.Tensor) -> torch.Tensor:
        return waveform[:, :5] if waveform.sum().item() > 0 else waveform[:, 1:6]

    monkeypatch.setattr(exporting, "least_samples", lambda scorer, samples: samples)
    monkeypatch.setattr(exporting.Scorer, "forward", forward)
    with pytest.raises(UserError, match="this network cannot be exported to onnx: ") as raised:
        export(model, tmp_path / "model.onnx", "onnx")
    assert len(str(raised.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_int8_keeps_what_the_file_says(model: Model, outcome: ExportResult, file: Path, tmp_path: Path):
    (tmp_path / "sounds").mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        soundfile.write(tmp_path / "sounds" / f"{number}.wav", 0.1 * rng.standard_normal(4000), 8000)
    small = export(model, tmp_path / "small.onnx", "onnx", int8=True, calibration=tmp_path / "sounds")
    assert "ranges of 3 windows" in small.lines()[0]
    assert properties(tmp_path / "small.onnx") == properties(file)
    exported = load_exported(tmp_path / "small.onnx")
    assert exported.labels == model.labels
    assert exported.scores(np.zeros((3, 9000), np.float32)).shape == (3, 5)


@pytest.mark.slow
def test_int8_is_smaller_and_a_little_off(model_of: Callable[..., Model], tmp_path: Path):
    tiny = model_of("tiny")
    whole = export(tiny, tmp_path / "model.onnx", "onnx")
    small = export(tiny, tmp_path / "model.int8.onnx", "onnx", int8=True)
    assert small.megabytes < 0.75 * whole.megabytes
    assert small.difference is not None
    assert 1e-4 < small.difference <= small.tolerance
    kinds = [node.op_type for node in onnx.load(str(tmp_path / "model.int8.onnx")).graph.node]
    assert kinds.count("DequantizeLinear") > kinds.count("Conv")


def test_int8_without_sounds(model: Model, tmp_path: Path):
    with pytest.raises(UserError, match="no audio files found"):
        export(model, tmp_path / "model.onnx", "onnx", int8=True, calibration=tmp_path)


# Of five kinds: plain residual, MobileNetV3 with attention, PANN, Kaldi's front end or not, separable.
PRESETS = ["tiny", "small", "mn04", "cnn6", "erann-0-1"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_give_their_scores_at_any_batch_and_length(preset: str, model_of: Callable[..., Model], tmp_path: Path):
    model = model_of(preset)
    export(model, tmp_path / "model.onnx", "onnx")
    exported = load_exported(tmp_path / "model.onnx")
    rng = np.random.default_rng(0)
    for seconds in (1, 5, 30):
        for batch in (1, 3, 17):
            # Noise of levels from -60 dB up, over the golden clips in turn.
            clean_BS = np.stack([np.resize(wave_S, seconds * model.sample_rate) for wave_S in golden_BS(model)])
            wave_BS = clean_BS[np.arange(batch) % len(clean_BS)]
            level_B1 = 10 ** rng.uniform(-3, -0.5, (batch, 1))
            wave_BS = (wave_BS + level_B1 * rng.standard_normal(wave_BS.shape)).clip(-1, 1).astype(np.float32)
            wanted = np.concatenate([model.scores(wave_S) for wave_S in wave_BS])
            assert np.abs(exported.scores(wave_BS) - wanted).max() <= 1e-4, (seconds, batch)


@pytest.mark.slow
def test_a_network_on_waves_takes_its_own_window(model_of: Callable[..., Model], tmp_path: Path):
    model = model_of("eat-s")
    outcome = export(model, tmp_path / "model.onnx", "onnx")
    assert any(f"only waves of {model.clip_samples / model.sample_rate:g} s" in line for line in outcome.lines())
    exported = load_exported(tmp_path / "model.onnx")
    assert exported.scores(golden_BS(model)[:3, : model.clip_samples]).shape == (3, 5)
    with pytest.raises(UserError, match=f"windows of {model.clip_samples} samples only"):
        exported.scores(np.zeros(model.clip_samples + 1, np.float32))
