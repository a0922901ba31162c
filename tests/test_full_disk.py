"""A disk that is full: one line with the path, exit status 1, and what was done before is not lost.

The system's limit on the size of a file stands in for the size of the disk: writing beyond it fails in the same way, in
Python and in libraries of C and Rust alike.
"""

import errno
import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from audiosurvey import tensorfile
from audiosurvey.errors import DiskFull, UserError, of_the_system

resource = pytest.importorskip("resource")
Command = Callable[..., tuple[int, str, str]]


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file can be longer than `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def full(outcome: tuple[int, str, str], place: Path) -> None:
    status, _, err = outcome
    assert "Traceback" not in err
    # A tracker that cannot write is told in a warning of its own.
    lines = [line for line in err.splitlines() if "File too large" in line and not line.startswith("warning: ")]
    assert (status, len(lines)) == (1, 1), err
    assert str(place) in lines[0]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")


@pytest.fixture
def config(tiny_yaml: str, tmp_path: Path, command: Command) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_yaml, encoding="utf-8")
    assert command("prepare", path)[0] == 0
    return path


@pytest.mark.parametrize(("size", "tracking"), [(0, "[]"), (1000, "[]"), (5000, "[tensorboard]"), (20_000, "[]")])
def test_training_stops_in_one_line_and_goes_on(
    size: int, tracking: str, command: Command, config: Path, tmp_path: Path
):
    words = ("train", config, "--run-dir", "run", "--folds", "1", "--device", "cpu", "--set", f"tracking={tracking}")
    with disk_of(size):
        full(command(*words), Path("run"))
    began = (tmp_path / "run" / "config.yaml").exists()
    status, _, err = command(*words, *(["--resume"] if began else []))
    assert status == 0, err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [row["epochs"] for row in results["folds"]] == [2]


@pytest.mark.slow
def test_folds_side_by_side_stop_in_one_line_too(command: Command, config: Path, tmp_path: Path):
    words = ("train", config, "--run-dir", "run", "--device", "cpu", "--folds", "1,2", "--jobs", "2")
    with disk_of(5000):
        full(command(*words), Path("run"))


def test_preparing_names_the_store(command: Command, tiny_yaml: str, tmp_path: Path, tmp_cache: Path):
    (tmp_path / "tiny.yaml").write_text(tiny_yaml, encoding="utf-8")
    with disk_of(10_000):
        full(command("prepare", "tiny.yaml"), tmp_cache)


@pytest.mark.parametrize("size", [0, 50, 300, 1000])
def test_prediction_names_its_output_and_goes_on(
    size: int, command: Command, finished_run: Path, tones: Path, tmp_path: Path
):
    words = ("predict", finished_run / "fold-1" / "model", tones, "--format", "csv", "--scores", "--output", "out.csv")
    words = (*words, "--device", "cpu")
    with disk_of(size):
        full(command(*words), Path("out.csv"))
    assert not (tmp_path / "out.csv").exists()
    status, _, err = command(*words)
    assert status == 0, err
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 25
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_export_does_not_blame_the_network(format: str, command: Command, finished_run: Path, tmp_path: Path):
    pytest.importorskip("onnxscript")
    model = shutil.copytree(finished_run / "fold-1" / "model", tmp_path / "model")
    before = sorted(path.name for path in model.iterdir())
    with disk_of(2000):
        full(command("export", model, "--format", format), Path("model"))
    assert sorted(path.name for path in model.iterdir()) == before


@pytest.mark.parametrize("size", [100, 10_000])
def test_preview_and_doctor_name_their_files(size: int, command: Command, config: Path, tones: Path, tmp_path: Path):
    with disk_of(size):
        full(command("preview", config), Path("preview"))
        full(command("doctor", tones, "--html", "page.html"), Path("page.html"))
        full(command("init", "new.yaml"), Path("new.yaml")) if size == 100 else None
    assert not (tmp_path / "page.html").exists()
    assert not (tmp_path / "new.yaml").exists()
    assert list((tmp_path / "preview").glob("*.tmp")) == []


def test_what_safetensors_says_of_the_system_is_an_error_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(tensorfile, "save_file", refuse)
    with pytest.raises(OSError, match="No space left") as raised:
        tensorfile.save_tensors(tmp_path / "a.safetensors", {"a": torch.zeros(2)})
    assert raised.value.errno == errno.ENOSPC
    fault = of_the_system(raised.value)
    assert isinstance(fault, DiskFull)
    assert str(tmp_path / "a.safetensors") in fault.lines[0]
    assert fault.status == 1


def test_other_errors_of_the_system_are_mistakes():
    fault = of_the_system(PermissionError(errno.EACCES, "Permission denied", "x.csv"))
    assert (type(fault), fault.lines, fault.status) == (UserError, ("x.csv: Permission denied",), 2)
    assert of_the_system(io.UnsupportedOperation("not readable")).lines == ("not readable",)
