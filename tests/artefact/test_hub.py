"""The Hub, played by a folder: what is fetched and sent, and what is said when it cannot be."""

import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_hub import FakeHub

import audiosurvey
from audiosurvey.artefact.folder import FILES, Model, _digest, load_artefact
from audiosurvey.artefact.hub import is_repo, push
from audiosurvey.errors import UserError

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(finished_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished_run / "fold-1" / "model", tmp_path / "mine")
    return tmp_path / "mine"


def fault(name: str, status: int | None = None, text: str = "") -> Exception:
    """An error of the Hub's by its class name, as its library raises it."""
    error = type(name, (OSError,), {})(text or "a long story\n\nof two paragraphs")
    error.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize("name", ["user/name", "user-1/a.b_c", "user/name@v1.0", "user/name@refs/pr/1"])
def test_names_of_repositories(name):
    assert is_repo(name)


@pytest.mark.parametrize("name", ["name", "a/b/c", "/a/b", "./b", "../b", "a/", "a b/c", "C:\\a", "user/name@"])
def test_what_is_no_name_of_a_repository(name):
    assert not is_repo(name)


def test_what_is_pushed_is_loaded_and_says_the_same(hub: FakeHub, folder: Path, tones: Path):
    (folder / "code.py").write_text("raise SystemExit", encoding="utf-8")
    (folder / "model.onnx").write_bytes(b"exported")
    pushed = push(folder, "me/tones")
    assert {path.name for path in (hub.root / "me" / "tones").iterdir()} == {*FILES, "model.onnx"}
    assert pushed.url == "https://huggingface.co/me/tones"
    assert pushed.difference < 1e-5
    loaded = audiosurvey.load("me/tones")
    # Code that somebody puts there stays there.
    (hub.root / "me" / "tones" / "code.py").write_text("raise SystemExit", encoding="utf-8")
    audiosurvey.load("me/tones@v2")
    assert hub.asked == [("me/tones", "public"), ("me/tones", None), ("me/tones", "v2")]
    assert {path.name for path in (hub.root / "snapshots" / "me" / "tones").iterdir()} == set(FILES)
    sound = tones / "low" / "0.wav"
    assert loaded.predict(sound) == audiosurvey.load(folder).predict(sound)


def test_exported_files_are_pushed_with_the_model(hub: FakeHub, folder: Path, command: Command):
    files = ["model.onnx", "model.int8.onnx", "model.tflite", "model.int8.tflite", "model.pte"]
    package = ["model.mlpackage/Manifest.json", "model.mlpackage/Data/com.apple.CoreML/model.mlmodel"]
    # A page of a large model holds an ONNX file of its own.
    kept_back = ["model.pt2", "web/index.html", "web/model.onnx", "code.py", "notes.mlpackage.txt"]
    for name in (*files, *package, *kept_back):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"exported")
    status, out, _ = command("push", folder, "me/tones")
    assert status == 0
    there = {path.relative_to(hub.root / "me" / "tones").as_posix() for path in _files(hub.root / "me" / "tones")}
    assert there == {*FILES, *files, *package}
    names = "model.int8.onnx, model.int8.tflite, model.mlpackage, model.onnx, model.pte, model.tflite"
    assert f"exported files: {names}\n" in out
    assert "not included: model.pt2, which can run code when it is opened\n" in out
    command("push", folder, "me/other", "--no-golden-clips")
    assert {
        path.relative_to(hub.root / "me" / "other").as_posix() for path in _files(hub.root / "me" / "other")
    } == there
    audiosurvey.load("me/tones")
    assert {path.name for path in (hub.root / "snapshots" / "me" / "tones").iterdir()} == set(FILES)


def test_names_of_exported_files_are_no_patterns(hub: FakeHub, folder: Path):
    for name in ("model[1].onnx", "model1.onnx.bak"):
        (folder / name).write_bytes(b"exported")
    push(folder, "me/tones")
    assert {path.name for path in (hub.root / "me" / "tones").iterdir()} == {*FILES, "model[1].onnx"}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_path_that_exists_is_no_repository(hub: FakeHub, folder: Path):
    (folder.parent / "me").mkdir()
    folder.rename(folder.parent / "me" / "tones")
    assert audiosurvey.load("me/tones").labels == ["high", "low", "mid", "noise"]
    assert hub.asked == []


def test_a_repository_that_is_no_model(hub: FakeHub):
    (hub.root / "me" / "other").mkdir(parents=True)
    (hub.root / "me" / "other" / "config.yaml").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match=r"me/other: this repository of the Hub is not an audiosurvey model") as error:
        audiosurvey.load("me/other")
    assert len(error.value.lines) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (fault("RepositoryNotFoundError", 404), "no such repository, or a private one"),
        (fault("GatedRepoError", 403), "access must be requested"),
        (fault("RevisionNotFoundError", 404), "no such revision"),
        (fault("LocalEntryNotFoundError"), "not reachable; is there a network connection?"),
        (fault("ConnectError"), "not reachable"),
        (fault("HfHubHTTPError", 500, "500 Server Error\nfor url"), "500 Server Error"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_what_hinders_fetching_is_one_line(hub: FakeHub, error, said):
    hub.fault = error
    with pytest.raises(UserError, match="me/tones: no such file or folder, and from the Hub: ") as raised:
        audiosurvey.load("me/tones")
    assert said in str(raised.value)
    assert len(raised.value.lines) == 1
    assert "\n" not in str(raised.value)


def test_the_real_library_knows_these_errors():
    errors = pytest.importorskip("huggingface_hub.errors")
    for name in ("RepositoryNotFoundError", "GatedRepoError", "RevisionNotFoundError", "LocalEntryNotFoundError"):
        assert isinstance(getattr(errors, name), type)


def test_the_real_library_takes_what_it_is_asked(folder: Path):
    hub = pytest.importorskip("huggingface_hub")
    assert {"revision", "allow_patterns"} <= inspect.signature(hub.snapshot_download).parameters.keys()
    assert {"private", "exist_ok"} <= inspect.signature(hub.create_repo).parameters.keys()
    wanted = {"repo_id", "folder_path", "allow_patterns", "commit_message"}
    assert wanted <= inspect.signature(hub.upload_folder).parameters.keys()


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("audiosurvey.artefact.hub.import_module", missing)
    with pytest.raises(UserError, match=r"me/tones: no such file or folder; .*pip install 'audiosurvey\[hub\]'"):
        audiosurvey.load("me/tones")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda hub: setattr(hub, "token", None), "no token for the Hub; log in with 'hf auth login'"),
        (lambda hub: setattr(hub, "fault", fault("HfHubHTTPError", 403)), "your token lacks write access"),
        (lambda hub: setattr(hub, "fault", fault("ConnectError")), "not pushed: not reachable"),
    ],
)
def test_what_hinders_pushing_is_one_line(hub: FakeHub, folder: Path, command: Command, change, said):
    change(hub)
    status, out, err = command("push", folder, "me/tones")
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (hub.root / "me" / "tones").exists()


def test_a_model_that_gives_other_logits_is_not_pushed(hub: FakeHub, folder: Path, monkeypatch):
    true_logits = Model.logits
    monkeypatch.setattr(Model, "logits", lambda self, wave: true_logits(self, wave) + np.float32(0.5))
    with pytest.raises(UserError, match=r"golden clips give other logits .* 0\.5, .*nothing was pushed"):
        push(folder, "me/tones")
    assert hub.asked == []


def test_a_changed_folder_is_not_pushed(hub: FakeHub, folder: Path):
    (folder / "golden.safetensors").unlink()
    with pytest.raises(UserError, match=r"incomplete, golden\.safetensors is missing"):
        push(folder, "me/tones")
    assert hub.asked == []


@pytest.mark.parametrize("repo", ["tones", "me/tones@v1", "a/b/c"])
def test_where_to_is_a_repository(hub: FakeHub, folder: Path, repo):
    with pytest.raises(UserError, match="not the name of a repository"):
        push(folder, repo)


def test_a_model_is_pushed_without_training_audio(hub: FakeHub, folder: Path, command: Command):
    status, out, _ = command("push", folder, "me/tones", "--no-golden-clips")
    assert status == 0
    assert "included: no training audio\n" in out
    pushed = load_artefact(hub.root / "me" / "tones")
    assert pushed.golden is not None
    assert pushed.golden.made
    own = load_artefact(folder).golden
    assert own is not None
    assert not own.made


def test_push_says_what_comes_with_it(hub: FakeHub, folder: Path, command: Command, monkeypatch):
    status, out, _ = command("push", folder, "me/tones", "--private")
    assert status == 0
    assert "licence: none is stated" in out
    assert "included: 8 training clips" in out
    assert hub.asked == [("me/tones", "private")]
    status, out, _ = command("push", folder, "me/tones", "--json")
    assert json.loads(out)["licence"] == "not stated"


def test_push_says_that_a_model_is_non_commercial(hub: FakeHub, folder: Path):
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    facts["licence"]["weights"] = "CC BY-NC 3.0 (non-commercial)"
    facts["sha256"]["model.json"] = _digest(facts)
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    said = "\n".join(push(folder, "me/tones").lines)
    assert "licence of the weights: CC BY-NC 3.0 (non-commercial)" in said
    assert "must not be used commercially" in said
