"""Core ML packages: what they contain, that their program gives the model's scores, and which folders they replace.

Where there is no macOS, the program is computed by torch, read back from the package (core_ml_program.py).
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from core_ml_program import StoredProgram

import audiosurvey
from audiosurvey.artefact.folder import Model
from audiosurvey.errors import UserError
from audiosurvey.exporting import export as exporting
from audiosurvey.exporting.coreml import check_package_target
from audiosurvey.exporting.export import export
from audiosurvey.exporting.result import NOT_RUN, ExportResult


@pytest.fixture(scope="module")
def model(model_of: Callable[..., Model], tiny_yaml: str) -> Model:
    return model_of(tiny_yaml, temperature=1.7)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coreml") / "model.mlpackage"


@pytest.fixture(scope="module")
def outcome(model: Model, package: Path) -> ExportResult:
    pytest.importorskip("coremltools")
    with pytest.MonkeyPatch.context() as patch:
        on_system("Linux", patch)
        return export(model, package, "coreml")


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this were a Mac whose Core ML computes the program as torch does."""
    coremltools = pytest.importorskip("coremltools")
    on_system("Darwin", monkeypatch)

    def predict(self: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if not hasattr(self, "stored"):
            self.stored = StoredProgram(Path(self.package_path))
        return self.stored.predict(inputs)

    monkeypatch.setattr(coremltools.models.MLModel, "predict", predict)


def on_system(name: str, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("audiosurvey.artefact.exported.platform", SimpleNamespace(system=lambda: name))


def largest_difference(model: Model, package: Path) -> float:
    stored = StoredProgram(package)
    pairs = [(stored.predict({"waveform": wave_S[None]})["scores"], model.scores(wave_S)) for wave_S in golden(model)]
    return float(max(np.abs(given - wanted).max() for given, wanted in pairs))


def golden(model: Model) -> np.ndarray:
    assert model.golden is not None
    return model.golden.wave_BS


def test_the_package_says_what_it_is(model: Model, outcome: ExportResult, package: Path):
    coremltools = pytest.importorskip("coremltools")
    spec = coremltools.models.MLModel(str(package), skip_model_load=True).get_spec()
    (waveform,), (scores,) = spec.description.input, spec.description.output
    assert (waveform.name, list(waveform.type.multiArrayType.shape)) == ("waveform", [1, 4000])
    assert (scores.name, list(scores.type.multiArrayType.shape)) == ("scores", [1, 5])
    kinds = {one.type.multiArrayType.dataType for one in (waveform, scores)}
    assert kinds == {coremltools.proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32}
    facts = json.loads(spec.description.metadata.userDefined["audiosurvey"])
    assert facts["labels"] == model.labels
    assert (facts["sample_rate"], facts["clip_samples"]) == (8000, 4000)
    assert (facts["least_samples"], facts["most_samples"]) == (4000, 4000)
    assert (facts["thresholds"], facts["activation"]) == ({"saw": 0.25}, "softmax")
    assert facts["calibration"]["temperature"] == 1.7


def test_a_package_is_a_specification_and_weights(outcome: ExportResult, package: Path):
    files = {path.relative_to(package).as_posix(): path.read_bytes() for path in package.rglob("*") if path.is_file()}
    inside = "Data/com.apple.CoreML"
    assert set(files) == {"Manifest.json", f"{inside}/model.mlmodel", f"{inside}/weights/weight.bin"}
    assert outcome.megabytes == pytest.approx(sum(map(len, files.values())) / 1e6)
    # No trace of our source.
    assert not any(str(Path(exporting.__file__).parent).encode() in content for content in files.values())
    assert sorted(path.name for path in package.parent.iterdir()) == ["model.mlpackage"]


def test_its_program_gives_the_scores_of_the_model(model: Model, outcome: ExportResult, package: Path):
    assert largest_difference(model, package) <= 1e-5
    # The inputs matter to the program.
    stored = StoredProgram(package)
    best = {int(stored.predict({"waveform": wave_S[None]})["scores"].argmax()) for wave_S in golden(model)}
    assert len(best) > 1


def test_binary_scores(model_of: Callable[..., Model], tiny_yaml: str, tmp_path: Path):
    pytest.importorskip("coremltools")
    several = model_of(tiny_yaml, multi_label=True)
    export(several, tmp_path / "model.mlpackage", "coreml")
    assert largest_difference(several, tmp_path / "model.mlpackage") <= 1e-5


def test_elsewhere_than_on_a_mac_the_result_says_that_it_was_not_run(outcome: ExportResult):
    assert (outcome.difference, outcome.golden, outcome.ms, outcome.compared) == (None, None, None, [])
    assert outcome.facts()[-1] == NOT_RUN
    assert outcome.lines() == [f"- {fact}" for fact in outcome.facts()]
    assert json.loads(json.dumps(outcome.as_json()))["difference"] is None


@pytest.mark.usefixtures("mac")
def test_on_a_mac_it_is_compared_and_predicts(model: Model, tmp_path: Path):
    path = tmp_path / "model.mlpackage"
    outcome = export(model, path, "coreml")
    assert outcome.golden is not None
    assert outcome.difference is not None
    assert max(outcome.golden, outcome.difference) <= 1e-5
    assert {row.batch for row in outcome.compared} == {1, 3, 17}
    assert outcome.ms is not None
    assert outcome.ms > 0
    assert NOT_RUN not in outcome.facts()
    # Several windows, the last one padded.
    wave_S = np.concatenate([golden(model)[0], golden(model)[1], golden(model)[2][:1000]])
    assert audiosurvey.load(path).predict(wave_S) == pytest.approx(model.predict(wave_S), abs=1e-5)


@pytest.mark.usefixtures("mac")
def test_on_a_mac_a_package_that_differs_is_not_written(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "model.mlpackage"
    path.mkdir()
    (path / "Manifest.json").write_text("what was there before", encoding="utf-8")
    plain = exporting.Scorer.forward
    monkeypatch.setattr(exporting.Scorer, "forward", lambda self, waveform: plain(self, waveform * 0.5))
    with pytest.raises(UserError, match=r"differ from the model's by 0.*nothing was written"):
        export(model, path, "coreml")
    assert [entry.name for entry in tmp_path.rglob("*")] == ["model.mlpackage", "Manifest.json"]


def test_a_package_is_replaced_whole(
    model: Model, folder_of: Callable[[Model, Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def write(scorer: object, samples: int, facts: dict[str, Any], path: Path) -> None:
        (path / "Data").mkdir(parents=True)
        (path / "Manifest.json").write_text("new", encoding="utf-8")

    on_system("Linux", monkeypatch)
    monkeypatch.setitem(exporting.EXPORT_WRITERS, "coreml", write)
    folder = folder_of(model, tmp_path / "model")
    target = tmp_path / "app.mlpackage"
    for old in (target, folder / "model.mlpackage"):
        (old / "Data" / "old").mkdir(parents=True)
    with pytest.raises(UserError, match="already exists"):
        audiosurvey.export(folder, "coreml", output=target)
    assert (target / "Data" / "old").is_dir()
    audiosurvey.export(folder, "coreml", output=target, force=True)
    # In the model's own folder without being asked, as with other formats.
    audiosurvey.export(folder, "coreml")
    for new in (target, folder / "model.mlpackage"):
        assert (new / "Manifest.json").read_text(encoding="utf-8") == "new"
        assert not list((new / "Data").iterdir())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["app.mlpackage", "model"]
    assert not [entry for entry in folder.iterdir() if entry.name.startswith(".")]


def test_nothing_but_packages_is_replaced(tmp_path: Path):
    (tmp_path / "file.mlpackage").touch()
    (tmp_path / "folder.mlpackage").mkdir()
    (tmp_path / "folder.mlpackage" / "thesis.txt").touch()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").touch()
    (tmp_path / "model" / "model.mlpackage").mkdir()
    for place, said in (
        ("file.mlpackage", "is a file, but a Core ML package is a folder"),
        ("folder.mlpackage", "holds more than a Core ML package"),
        ("none/model.mlpackage", "none is missing"),
        ("model/model.mlpackage", "lies in the model folder"),
        ("model/new.mlpackage", "lies in the model folder"),
    ):
        with pytest.raises(UserError, match=said):
            check_package_target(tmp_path / place, force=True, own_folder=tmp_path)
    check_package_target(tmp_path / "model" / "model.mlpackage", force=True, own_folder=tmp_path / "model")


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["tiny", "small", "mn04", "cnn6", "erann-0-1", "eat-s", "ced-tiny"])
def test_presets_give_their_scores(preset: str, model_of: Callable[..., Model], tmp_path: Path):
    pytest.importorskip("coremltools")
    model = model_of(preset)
    export(model, tmp_path / "model.mlpackage", "coreml")
    assert largest_difference(model, tmp_path / "model.mlpackage") <= 1e-4
