"""`audiosurvey export`: what it prints and writes, and one line for every obvious mistake."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import audiosurvey

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(finished_run: Path, tmp_path: Path) -> Path:
    """A model folder of the test's own."""
    return Path(shutil.copytree(finished_run / "fold-1" / "model", tmp_path / "model"))


def mistake(outcome: tuple[int, str, str], *words: str) -> None:
    """Exit status 2, nothing on stdout, one line on stderr with these words in it."""
    status, out, err = outcome
    assert status == 2, err
    assert out == ""
    assert len(err.splitlines()) == 1, err
    for word in words:
        assert word in err


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_onnx_beside_the_model_and_in_its_card(command: Command, folder: Path, tones: Path):
    status, out, err = command("export", folder)
    assert (status, err) == (0, "")
    assert f"wrote {folder / 'model.onnx'}" in out
    assert re.search("^batch +0.5 s +1 s +5 s +30 s$", out, flags=re.M)
    assert "|" not in out
    assert "allowed: 0.0001" in out
    assert "MB" in out
    assert "ms for a clip of 0.5 s" in out
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.count("## Exports\n") == 1
    assert "| batch | 0.5 s | 1 s | 5 s | 30 s |" in card
    facts = out.split("\n\n")[0].splitlines()
    assert len(facts) == 4
    assert all(f"- {line}\n" in card for line in facts)
    wanted = audiosurvey.load(folder).predict(tones / "low" / "0.wav")
    assert audiosurvey.load(folder / "model.onnx").predict(tones / "low" / "0.wav") == pytest.approx(wanted, abs=1e-4)


def test_json_and_a_second_time(command: Command, folder: Path, tmp_path: Path):
    target = tmp_path / "app.onnx"
    assert command("export", folder, "--output", target)[0] == 0
    mistake(command("export", folder, "--output", target), "app.onnx", "already exists", "--force")
    status, out, _ = command("export", folder, "--output", target, "--json", "--force")
    assert status == 0
    said = json.loads(out)
    assert said["path"] == target.as_posix()
    assert said["difference"] <= said["tolerance"] == 1e-4
    assert {(row["batch"], row["seconds"]) for row in said["compared"]} >= {(17, 30.0), (1, 1.0)}
    assert said["ms"] > 0
    assert said["megabytes"] == pytest.approx(target.stat().st_size / 1e6)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.count("## Exports\n") == card.count("### app.onnx\n") == 1


def test_a_run_without_a_final_model_names_the_folds(command: Command, finished_run: Path):
    mistake(command("export", finished_run), "has no final model", "fold-1/model", "fold-3/model")


def test_mistakes_leave_the_folder_as_it_was(command: Command, folder: Path, tmp_path: Path):
    before = files(folder)
    mistake(command("export", tmp_path / "none"), "none", "not a model")
    mistake(command("export", folder, "--format", "tflite"), "tflite")
    mistake(command("export", folder, "--format", "torch", "--int8"), "--int8", "--format onnx")
    mistake(command("export", folder, "--format", "coreml", "--int8"), "--int8", "not coreml")
    mistake(command("export", folder, "--format", "coreml", "--output", tmp_path / "app"), "coreml end in .mlpackage")
    mistake(command("export", folder, "--calibration", tmp_path), "--calibration", "--int8")
    mistake(command("export", folder, "--int8", "--calibration", tmp_path / "none"), "none", "no such folder")
    mistake(command("export", folder, "--output", tmp_path / "model.pt2"), "model.pt2", "files of onnx end in .onnx")
    mistake(command("export", folder, "--output", tmp_path / "none" / "model.onnx"), "none", "missing")
    mistake(command("export", folder, "--output", tmp_path), "files of onnx end in .onnx")
    (tmp_path / "folder.onnx").mkdir()
    mistake(command("export", folder, "--output", tmp_path / "folder.onnx"), "folder.onnx", "is a folder")
    assert files(folder) == before


def test_an_exported_file_is_no_model_to_export(command: Command, tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"")
    mistake(command("export", tmp_path / "model.onnx"), "name of an exported file", "model folder")


@pytest.mark.parametrize(
    ("format", "package", "extra"),
    [
        ("onnx", "onnx", "onnx"),
        ("executorch", "executorch", "mobile"),
        ("litert", "litert_torch", "litert"),
        ("coreml", "coremltools", "coreml"),
    ],
)
def test_a_missing_package_names_its_extra(
    format: str, package: str, extra: str, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("audiosurvey.extras.find_spec", lambda name: None)
    before = files(folder)
    mistake(command("export", folder, "--format", format), package, f"pip install 'audiosurvey[{extra}]'")
    assert files(folder) == before
