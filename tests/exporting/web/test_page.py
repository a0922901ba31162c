"""The folder of a page: what is in it, and what it replaces."""

import base64
import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import audiosurvey
from audiosurvey.artefact.temperature import Temperatures
from audiosurvey.errors import UserError
from audiosurvey.exporting.web import export, page
from audiosurvey.exporting.web.page import new_page, page_facts, write_page
from audiosurvey.exporting.web.runtime import WebRuntime

RUNTIME = WebRuntime(b"const a=1,b=import.meta.url;export{a as env,b as Tensor,a as TRACE};", bytes(1000))
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def model(finished_run: Path) -> Any:
    return audiosurvey.load(finished_run / "fold-1" / "model")


def test_the_runtime_is_no_module():
    assert RUNTIME.script == "self.ort=(()=>{const a=1,b=self.location.href;;return{env:a,Tensor:b}})();\n"


def test_everything_is_in_one_file(model: Any, tmp_path: Path):
    write_page(tmp_path, model, b"network", RUNTIME, "My model")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    for name, content in (("runtime", RUNTIME.script.encode()), ("wasm", RUNTIME.wasm), ("model", b"network")):
        held = re.search(f'<script type="text/plain" id="{name}">(.*?)</script>', text)
        assert held
        assert gzip.decompress(base64.b64decode(held[1])) == content
    assert "<title>My model</title>" in text
    # Nothing refers to any other place.
    assert re.findall(r"https?://[^\"'`\s]+", text) == ["http://www.w3.org/2000/svg"]


def test_large_models_lie_beside_the_page(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page, "ONE_FILE_MB", 1e-6)
    write_page(tmp_path, model, b"network", RUNTIME, "large")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"index.html", "model.onnx", "ort-wasm-simd-threaded.wasm"}
    assert names == export._FILES
    assert (tmp_path / "model.onnx").read_bytes() == b"network"
    assert 'id="model" data-file="model.onnx"' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_labels_cannot_leave_the_script(model: Any, tmp_path: Path):
    model.labels = ["</script><script>alert(1)</script>", "<!--", *model.labels[2:]]
    write_page(tmp_path, model, b"", RUNTIME, "<b>&")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<title>&lt;b&gt;&amp;</title>" in text
    held = re.search(r"const MODEL = (.*);\n", text)
    assert held
    assert json.loads(held[1])["labels"] == model.labels


def test_the_page_knows_thresholds_that_apply(model: Any):
    assert page_facts(model)["thresholds"] is None
    model.temperatures = Temperatures(False, 1.5, 0.8)
    model.rejects_others, model.thresholds, model.sound_thresholds = True, {"low": 0.6}, {"low": 0.4}
    facts = page_facts(model)
    assert (facts["window_temperature"], facts["sound_temperature"]) == (1.5, 0.8)
    assert (facts["thresholds"], facts["sound_thresholds"]) == ({"low": 0.6}, {"low": 0.4})


@pytest.fixture
def folder(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder of the test's own; the runtime is a made one."""
    monkeypatch.setattr(export, "find_runtime", lambda place: RUNTIME)
    return Path(shutil.copytree(finished_run / "fold-1" / "model", tmp_path / "model"))


def test_the_command(command: Command, folder: Path, tmp_path: Path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    status, out, err = command("export", folder, "--format", "web")
    assert (status, err) == (0, "")
    assert "web page, ONNX, opset 18" in out
    assert f"wrote {folder / 'web'}" in out
    assert [path.name for path in (folder / "web").iterdir()] == ["index.html"]
    assert "### web" in (folder / "README.md").read_text(encoding="utf-8")
    # Its own page is replaced; another folder only if it is a page, and with --force.
    before = (folder / "web" / "index.html").read_bytes()
    (folder / "web" / "index.html").write_bytes(b"old")
    assert command("export", folder, "--format", "web")[0] == 0
    assert (folder / "web" / "index.html").read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".export")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "page"], "--output page: already exists"),
        (["--output", "mine", "--force"], "--output mine: not a page, and would be replaced"),
        (["--output", "file.txt", "--force"], "--output file.txt: is a file"),
        (["--output", "."], "--output .: cannot be replaced by a page; give the name of a folder"),
        (["--output", "page/..", "--force"], "--output page/..: cannot be replaced by a page"),
        (["--output", "no/page"], "--output no/page: the folder no is missing"),
    ],
)
def test_what_is_there_is_not_replaced(
    command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
):
    monkeypatch.chdir(tmp_path)
    for name in ("page", "mine"):
        Path(name).mkdir()
    Path("page/index.html").write_text("a page")
    Path("mine/thesis.doc").write_text("a year")
    Path("file.txt").write_text("text")
    status, out, err = command("export", folder, "--format", "web", *words)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert said in err
    assert Path("mine/thesis.doc").read_text() == "a year"


def test_the_runtime_is_for_pages(command: Command, folder: Path):
    status, _, err = command("export", folder, "--onnxruntime", "x")
    assert (status, err) == (2, "--onnxruntime: is for --format web; leave it out\n")


def test_a_page_stays_if_the_new_one_cannot_replace_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "index.html").write_text("old")
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name == "made":
            raise OSError("busy")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="busy"), new_page(tmp_path / "web") as made:
        (made / "index.html").write_text("new")
    assert (tmp_path / "web" / "index.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["web"]


def test_faults_name_the_target(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def export_badly(model: Any, path: Path, *args: Any, **options: Any) -> None:
        raise UserError(f"{path}: its scores differ")

    monkeypatch.setattr(export, "export", export_badly)
    with pytest.raises(UserError) as fault:
        export.export_web(folder, tmp_path / "page")
    assert fault.value.lines == (f"{tmp_path / 'page'}: its scores differ",)
