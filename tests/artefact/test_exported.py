"""Exported files as classifiers: the same answers as their model, and one line for what is no such file."""

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.exported import ExportedModel, load_exported
from audiosurvey.artefact.folder import Model
from audiosurvey.artefact.load import ModelLibrary, find_models, model_name
from audiosurvey.errors import UserError
from audiosurvey.exporting.export import export
from audiosurvey.exporting.graph import exported_facts
from audiosurvey.prediction.options import PredictOptions
from audiosurvey.prediction.prediction import predict

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def model(model_of: Callable[..., Model], tiny_yaml: str) -> Model:
    return model_of(tiny_yaml, temperature=1.7)


@pytest.fixture(scope="module", params=[".onnx", ".pt2"])
def file(request: pytest.FixtureRequest, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / f"model{request.param}"
    export(model, path, "onnx" if request.param == ".onnx" else "torch")
    return path


def test_the_file_alone_says_what_the_model_says(file: Path, model: Model):
    exported = audiosurvey.load(file, trust=True)
    assert isinstance(exported, ExportedModel)
    assert exported.labels == model.labels
    assert exported.sample_rate == 8000
    assert exported.clip_samples == 4000
    assert exported.temperature == 1.7
    assert exported.sound_temperature == 1.7**0.5
    assert exported.thresholds == {"saw": 0.25}
    assert exported.facts["licence"] == model.facts["licence"]


def test_predict_gives_what_the_model_gives(file: Path, model: Model, tmp_path: Path):
    # 1.3 s at another rate: resampled, cut into three windows, the last one padded.
    seconds = np.arange(int(1.3 * 22050)) / 22050
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(2 * np.pi * 700 * seconds), 22050)
    wanted = model.predict(tmp_path / "tone.wav")
    given = audiosurvey.load(str(file), trust=True).predict(tmp_path / "tone.wav")
    assert list(given) == list(wanted)
    assert given == pytest.approx(wanted, abs=1e-4)
    # The mean of the windows is calibrated, by its own temperature.
    mean_K = model.uncalibrated(model.windows(model.decoded(tmp_path / "tone.wav"))).mean(axis=0, dtype=np.float64)
    power_K = mean_K ** (1 / 1.7**0.5)
    assert [given[label] for label in model.labels] == pytest.approx(power_K / power_K.sum(), abs=1e-4)


@pytest.mark.parametrize(("batch", "samples"), [(1, 4000), (3, 8000), (17, 40_000)])
def test_any_batch_and_length(file: Path, model: Model, batch: int, samples: int):
    wave_BS = np.random.default_rng(batch).uniform(-0.5, 0.5, (batch, samples)).astype(np.float32)
    given = load_exported(file, trust=True).scores(wave_BS)
    assert given.shape == (batch, len(model.labels))
    np.testing.assert_allclose(given, model.scores(wave_BS), atol=1e-4)


def test_too_short_a_wave_is_said(file: Path):
    exported = load_exported(file, trust=True)
    least = exported.facts["least_samples"]
    assert exported.scores(np.zeros(least, np.float32)).shape == (1, 5)
    with pytest.raises(UserError, match=f"{least - 1} samples is too short"):
        exported.scores(np.zeros(least - 1, np.float32))


def test_scores_only(file: Path):
    with pytest.raises(UserError, match="exported file gives scores only"):
        load_exported(file, trust=True).logits(np.zeros(4000, np.float32))


def test_missing(tmp_path: Path):
    with pytest.raises(UserError, match="no such file"):
        audiosurvey.load(tmp_path / "none.onnx")


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2"])
@pytest.mark.parametrize("content", [b"", b"not a model at all"])
def test_damaged(name: str, content: bytes, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as an") as raised:
        audiosurvey.load(tmp_path / name, trust=True)
    assert len(raised.value.lines) == 1
    assert "\n" not in str(raised.value)


def test_a_file_of_others(tmp_path: Path):
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [value("x", onnx.TensorProto.FLOAT, [1])],
        [value("y", onnx.TensorProto.FLOAT, [1])],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    (tmp_path / "other.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(UserError, match="only files written by 'audiosurvey export'"):
        audiosurvey.load(tmp_path / "other.onnx")


def test_a_missing_runtime_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "model.onnx").write_bytes(b"never read")
    monkeypatch.setattr("audiosurvey.extras.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"onnxruntime: not installed; pip install 'audiosurvey\[onnx\]'"):
        load_exported(tmp_path / "model.onnx")


@pytest.mark.slow
def test_litert_takes_windows(model: Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    pytest.importorskip("litert_torch")
    # What the import itself has said.
    capfd.readouterr()
    outcome = export(model, tmp_path / "model.tflite", "litert")
    assert outcome.difference is not None
    assert outcome.difference <= 1e-4
    exported = audiosurvey.load(tmp_path / "model.tflite")
    assert capfd.readouterr() == ("", "")
    assert (exported.labels, exported.facts["most_samples"]) == (model.labels, 4000)
    assert model.golden is not None
    wave_BS = model.golden.wave_BS
    np.testing.assert_allclose(exported.scores(wave_BS), model.scores(wave_BS), atol=1e-4)
    with pytest.raises(UserError, match="windows of 4000 samples only"):
        exported.scores(wave_BS[:, :3999])
    # Sounds of any length are predicted as by the model.
    wave_S = np.concatenate(list(wave_BS[:3]))
    assert exported.predict(wave_S) == pytest.approx(model.predict(wave_S), abs=1e-4)


@pytest.mark.slow
def test_litert_with_8_bit_integers(model: Model, tmp_path: Path):
    pytest.importorskip("litert_torch")
    export(model, tmp_path / "model.tflite", "litert")
    outcome = export(model, tmp_path / "int8.tflite", "litert", int8=True)
    assert outcome.same_label is not None
    assert outcome.difference is not None
    assert outcome.difference <= 0.1
    small, whole = (audiosurvey.load(tmp_path / name) for name in ("int8.tflite", "model.tflite"))
    assert small.facts == whole.facts
    assert model.golden is not None
    assert not np.array_equal(small.scores(model.golden.wave_BS), whole.scores(model.golden.wave_BS))


def test_a_damaged_litert_file_is_one_line(tmp_path: Path):
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "model.tflite").write_bytes(b"TFL3 and nothing more")
    with pytest.raises(UserError, match=r"model.tflite: cannot be read as a LiteRT model"):
        audiosurvey.load(tmp_path / "model.tflite")


class FakeCoreML:
    """Stands in for `coremltools.models.MLModel` on a Mac: a package that is a folder with its metadata in a file."""

    def __init__(self, path: str, compute_units: str) -> None:
        assert compute_units == "processor"
        self.user_defined_metadata = json.loads((Path(path) / "metadata.json").read_text(encoding="utf-8"))

    def predict(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The first samples, as scores."""
        (wave_BS,) = inputs.values()
        assert list(inputs) == ["waveform"]
        assert wave_BS.shape == (1, 4000)
        return {"scores": wave_BS[:, :5]}


@pytest.fixture
def package(model: Model, tmp_path: Path) -> Path:
    folder = tmp_path / "model.mlpackage"
    folder.mkdir()
    facts = exported_facts(model, 4000, 4000)
    (folder / "metadata.json").write_text(json.dumps({"audiosurvey": json.dumps(facts)}), encoding="utf-8")
    return folder


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("coremltools")
    fake.models = SimpleNamespace(MLModel=FakeCoreML)
    fake.ComputeUnit = SimpleNamespace(CPU_ONLY="processor")
    monkeypatch.setitem(sys.modules, "coremltools", fake)
    monkeypatch.setattr("audiosurvey.extras.find_spec", lambda name: name)
    monkeypatch.setattr("audiosurvey.artefact.exported.platform", SimpleNamespace(system=lambda: "Darwin"))


@pytest.mark.usefixtures("mac")
def test_core_ml_takes_windows(package: Path, model: Model):
    exported = audiosurvey.load(package)
    assert isinstance(exported, ExportedModel)
    assert (exported.labels, exported.thresholds) == (model.labels, {"saw": 0.25})
    wave_BS = np.arange(8000, dtype=np.float32).reshape(2, 4000)
    assert exported.scores(wave_BS).tolist() == [[0, 1, 2, 3, 4], [4000, 4001, 4002, 4003, 4004]]
    with pytest.raises(UserError, match="windows of 4000 samples only"):
        exported.scores(wave_BS[:, :3999])


@pytest.mark.usefixtures("mac")
def test_a_core_ml_package_of_others(package: Path):
    (package / "metadata.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="only files written by 'audiosurvey export'"):
        audiosurvey.load(package)
    (package / "metadata.json").unlink()
    with pytest.raises(UserError, match=r"model\.mlpackage: cannot be read as a Core ML package"):
        audiosurvey.load(package)


@pytest.mark.usefixtures("mac")
def test_core_ml_packages_are_found_on_a_mac(package: Path):
    assert list(find_models(package.parent)) == ["model.mlpackage"]
    assert ModelLibrary(package)["model.mlpackage"].sample_rate == 8000


def test_core_ml_needs_a_mac(package: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("audiosurvey.artefact.exported.platform", SimpleNamespace(system=lambda: "Linux"))
    with pytest.raises(UserError, match=r"model\.mlpackage: Core ML runs on macOS only; give the model folder, or"):
        audiosurvey.load(package)
    assert not find_models(package.parent)


@pytest.mark.slow
def test_executorch_takes_windows(model: Model, tmp_path: Path):
    pytest.importorskip("executorch")
    outcome = export(model, tmp_path / "model.pte", "executorch")
    assert outcome.difference is not None
    assert outcome.difference <= 1e-4
    exported = audiosurvey.load(tmp_path / "model.pte")
    assert exported.labels == model.labels
    assert model.golden is not None
    wave_BS = model.golden.wave_BS
    np.testing.assert_allclose(exported.scores(wave_BS), model.scores(wave_BS), atol=1e-4)
    with pytest.raises(UserError, match="windows of 4000 samples only"):
        exported.scores(wave_BS[:, :3999])


def test_threads_reach_onnxruntime(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import onnxruntime

    export(model, tmp_path / "model.onnx", "onnx")
    asked: list[int] = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path: str, options: onnxruntime.SessionOptions, **others: object) -> None:
            asked.append(options.intra_op_num_threads)
            super().__init__(path, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    soundfile.write(tmp_path / "tone.wav", np.zeros(4000), 8000)
    audiosurvey.load(tmp_path / "model.onnx", threads=3)
    audiosurvey.predict(tmp_path / "model.onnx", tmp_path / "tone.wav")
    assert predict(str(tmp_path / "model.onnx"), [str(tmp_path / "tone.wav")], PredictOptions(threads=2)).answers == 1
    assert asked == [3, 0, 2]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("bird/fold-1/model", "bird"),
        ("bird/model/model.int8.onnx", "bird"),
        ("bird", "bird"),
        ("bird/model/model.mlpackage", "bird"),
        ("bird/small.onnx", "small.onnx"),
        ("user/model", "model"),
    ],
)
def test_the_name_of_a_model_is_that_of_its_run(tmp_path: Path, place: str, name: str):
    if not place.startswith("user/"):
        (tmp_path / place).mkdir(parents=True)
    assert model_name(tmp_path / place) == name
