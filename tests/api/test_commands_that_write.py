"""Functions whose commands write files, publish or serve: each gives what its command gives."""

import http.server
import io
import json
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fake_hub import FakeHub

import audiosurvey
from audiosurvey.analysis import robustness as robustness_module
from audiosurvey.analysis.corruptions import corruptions
from audiosurvey.data.download.datasets import Archive
from audiosurvey.data.sets import registry

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def printed(command: Command) -> Callable[..., str]:
    """`printed("merge", run)`: what a command prints, which must not fail."""

    def run(*words: object) -> str:
        status, out, err = command(*words)
        assert status == 0, err
        return out

    return run


@pytest.fixture
def model(finished_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished_run / "fold-1" / "model", tmp_path / "mine")
    return tmp_path / "mine"


def written(folder: Path) -> dict[str, Any]:
    """The content of the files of a folder; of sounds, whose headers may say when they were written, the samples."""
    return {path.relative_to(folder).as_posix(): content(path) for path in folder.rglob("*") if path.is_file()}


def content(path: Path) -> Any:
    return soundfile.read(path)[0].tolist() if path.suffix == ".wav" else path.read_bytes()


def timeless(value: Any) -> Any:
    """The same without what depends on the moment."""
    if isinstance(value, dict):
        return {
            key: timeless(part)
            for key, part in value.items()
            if key not in ("seconds", "ms", "torch_ms", "path", "measured")
        }
    return [timeless(part) for part in value] if isinstance(value, list) else value


def test_robustness(printed: Callable[..., str], finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    few = [one for one in corruptions() if one.name in ("white_noise", "muted")]
    monkeypatch.setattr(robustness_module, "corruptions", lambda: few)
    for name in ("a", "b"):
        shutil.copytree(finished_run, tmp_path / name)
    said = json.loads(printed("robustness", tmp_path / "a", "--folds", "1", "--json"))
    found = audiosurvey.robustness(tmp_path / "b", folds=1)
    assert timeless(json.loads(json.dumps(found.as_json()))) == timeless(said)
    assert len(found.folds) == 1
    stored = [json.loads((tmp_path / name / "analysis" / "robustness.json").read_text()) for name in ("a", "b")]
    assert timeless(stored[0]) == timeless(stored[1])


def test_export(printed: Callable[..., str], model: Path, tones: Path, tmp_path: Path):
    said = json.loads(printed("export", model, "--output", tmp_path / "a.onnx", "--json"))
    found = audiosurvey.export(model, output=tmp_path / "b.onnx")
    assert timeless(json.loads(json.dumps(found.as_json()))) == timeless(said)
    sounds = sorted(tones.rglob("*.wav"))
    a, b = (audiosurvey.load(tmp_path / name).predict(sounds) for name in ("a.onnx", "b.onnx"))
    assert a == b


def test_push(printed: Callable[..., str], hub: FakeHub, model: Path):
    said = json.loads(printed("push", model, "me/first", "--private", "--json"))
    found = audiosurvey.push(model, "me/second", private=True)
    assert said == {
        "url": found.url.replace("second", "first"),
        "golden_difference": found.difference,
        "licence": found.licence,
    }
    assert hub.asked == [("me/first", "private"), ("me/second", "private")]
    assert written(hub.root / "me" / "first") == written(hub.root / "me" / "second")
    assert "weights.safetensors" in written(hub.root / "me" / "second")


def test_demo(printed: Callable[..., str], model: Path, tones: Path, monkeypatch: pytest.MonkeyPatch):
    """The page itself has its own tests; here, what is served, and that its address is told."""
    asked: list[Any] = []

    def serve(target: str, options: Any, opened: Callable[[str], object]) -> None:
        asked.append((target, options))
        opened("http://127.0.0.1:7861")

    monkeypatch.setattr("audiosurvey.demo.server.serve", serve)
    words = ("--port", "0", "--threshold", "0.3", "--top", "2", "--max-minutes", "1", "--examples", tones)
    assert printed("demo", model, *words) == "http://127.0.0.1:7861\n"
    told: list[str] = []
    audiosurvey.serve_demo(model, port=0, threshold=0.3, top=2, max_minutes=1, examples=tones, opened=told.append)
    assert told == ["http://127.0.0.1:7861"]
    assert asked[0] == asked[1]
    assert (asked[0][1].port, asked[0][1].threshold, asked[0][1].examples) == (0, 0.3, tones)


def test_preview(printed: Callable[..., str], tiny_yaml: str, tmp_path: Path):
    (tmp_path / "net.yaml").write_text(tiny_yaml, encoding="utf-8")
    words = ("--set", "augmentation.noise.p=1", "--clip", "low/1.wav", "--epoch", 2, "--output", tmp_path / "a")
    said = printed("preview", tmp_path / "net.yaml", *words).split()
    found = audiosurvey.preview(
        tmp_path / "net.yaml",
        {"augmentation.noise.p": 1},
        clips="low/1.wav",
        epochs=2,
        output=tmp_path / "b",
    )
    assert [Path(path).name for path in said] == [path.name for path in found]
    assert len(written(tmp_path / "a")) >= 3
    assert written(tmp_path / "a") == written(tmp_path / "b")


def test_merge(printed: Callable[..., str], train_tiny: Callable[..., Any], finished_run: Path, tmp_path: Path):
    for fold in (1, 2):
        train_tiny(tmp_path / f"run-{fold}", folds=[fold])
    runs = [tmp_path / "run-1", tmp_path / "run-2"]
    said = json.loads(printed("merge", *runs, "--output", tmp_path / "a.json", "--json"))
    found = audiosurvey.merge(runs, tmp_path / "b.json")
    assert json.loads(json.dumps(found.as_json())) == said
    assert [row.fold for row in found.folds] == [1, 2]
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """A published data set of one clip, on a server on this machine, in place of ESC-50."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        zipped.writestr("set/meta/table.csv", "filename\na.dat\n")
        zipped.writestr("set/audio/a.dat", bytes(1000))
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "set.zip").write_bytes(content.getvalue())
    handler = partial(QuietHandler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        spec, real = registry.downloadable("esc50")
        address = f"http://127.0.0.1:{server.server_address[1]}/set.zip"
        own = replace(
            real,
            url=address,
            archive_bytes=len(content.getvalue()),
            unpacked_bytes=2000,
            md5=None,
            table="meta/table.csv",
            clips=1,
            clip_path=lambda row: f"audio/{row['filename']}",
            clip_bytes=1000,
        )
        monkeypatch.setattr(registry, "downloadable", lambda name: (spec, own))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield own
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.usefixtures("archive")
def test_download(printed: Callable[..., str], tmp_path: Path):
    told: list[audiosurvey.Progress] = []
    found = audiosurvey.download("esc50", tmp_path / "b", progress=told.append)
    assert printed("download", "esc50", "--root", tmp_path / "a").replace("/a", "/b") == found.text + "\n"
    assert written(tmp_path / "a") == written(tmp_path / "b")
    assert (tmp_path / "b" / "audio" / "a.dat").stat().st_size == 1000
    assert told[-1].task == "downloading esc50"
