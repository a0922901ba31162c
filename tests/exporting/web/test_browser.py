"""The page in headless Chromium, from disk and from a web server: its scores are those of the model."""

import base64
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.errors import UserError
from audiosurvey.exporting.web import page as page_module
from audiosurvey.exporting.web.export import export_web
from audiosurvey.exporting.web.runtime import find_runtime

pytestmark = pytest.mark.slow
PATIENCE_MS = 300_000
OPEN = """async ([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  const found = await audiosurvey.open(new File([bytes], name));
  return found && { ...found, scores: Array.from(found.scores) };
}"""


@dataclass
class Visit:
    """A page, what it asked for, and what it complained of."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: Path) -> Any:
        return self.page.evaluate(OPEN, [base64.b64encode(path.read_bytes()).decode(), path.name])


@pytest.fixture(scope="module")
def model(finished_run: Path) -> Classifier:
    return audiosurvey.load(finished_run / "fold-1" / "model")


@pytest.fixture(scope="module")
def exported(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A page of one file, and one with files beside it."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        try:
            find_runtime(None)
        except UserError as fault:
            pytest.skip(f"no ONNX Runtime Web: {fault}")
        model = finished_run / "fold-1" / "model"
        export_web(model, folder / "one")
        patch.setattr(page_module, "ONE_FILE_MB", 0)
        export_web(model, folder / "apart")
    return folder / "one", folder / "apart"


@pytest.fixture(scope="module")
def context(launch_browser: Callable[..., Any]) -> Any:
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    context = launch_browser(*flags).new_context()
    context.set_default_timeout(PATIENCE_MS)
    return context


@pytest.fixture
def visit(context: Any) -> Iterator[Callable[[str], Visit]]:
    pages = []

    def visit(address: str) -> Visit:
        page = context.new_page()
        pages.append(page)
        one = Visit(page)
        page.on("request", lambda request: one.requests.append(request.url))
        page.on("console", lambda message: one.complaints.append(message.text))
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.goto(address)
        return one

    yield visit
    for page in pages:
        page.close()


@pytest.fixture
def served(exported: tuple[Path, Path]) -> Iterator[str]:
    """The address of a plain web server of the page with files beside it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(exported[1]))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def ready(one: Visit) -> str:
    return one.page.evaluate("() => audiosurvey.ready.then(() => 'ready', () => 'failed')")


@pytest.mark.parametrize("where", ["disk", "server"])
def test_scores_are_those_of_the_model(
    where: str,
    visit: Callable[[str], Visit],
    exported: tuple[Path, Path],
    served: str,
    model: Classifier,
    tones: Path,
    tmp_path: Path,
):
    one = visit((exported[0] / "index.html").as_uri() if where == "disk" else served)
    assert ready(one) == "ready"
    sounds = [tones / name / "0.wav" for name in ("low", "mid", "high", "noise")]
    # A short one, several windows, another rate, two channels, and silence.
    rng = np.random.default_rng(0)
    for name, samples_SC, rate in (
        ("short", 0.1 * rng.standard_normal((1000, 1)), 8000),
        ("long", 0.1 * rng.standard_normal((14_500, 1)) * np.linspace(0, 1, 14_500)[:, None], 8000),
        ("rate", 0.1 * rng.standard_normal((44_100, 1)), 44_100),
        ("stereo", 0.1 * rng.standard_normal((4000, 2)), 8000),
        ("silent", np.zeros((4000, 1)), 8000),
    ):
        sounds.append(tmp_path / f"{name}.wav")
        soundfile.write(sounds[-1], samples_SC, rate)
    for path in sounds:
        found, wanted = one.open(path), model.predict(path)
        scores = dict(zip(model.labels, found["scores"], strict=True))
        assert scores == pytest.approx(wanted, abs=1e-3), path.name
        assert one.page.inner_text("#label") == next(iter(wanted))
    assert one.complaints == []
    home = ("file:", "blob:", "data:") if where == "disk" else (served, "blob:", "data:")
    assert [url for url in one.requests if not url.startswith(home)] == []


def test_a_file_that_is_no_sound(visit: Callable[[str], Visit], exported: tuple[Path, Path], tmp_path: Path):
    one = visit((exported[0] / "index.html").as_uri())
    ready(one)
    (tmp_path / "x.wav").write_bytes(b"no sound")
    assert one.open(tmp_path / "x.wav") is None
    assert one.page.inner_text("#status").startswith("x.wav: not a sound that this browser can read")


def test_files_beside_the_page_need_a_server(visit: Callable[[str], Visit], exported: tuple[Path, Path]):
    one = visit((exported[1] / "index.html").as_uri())
    assert ready(one) == "failed"
    assert one.page.inner_text("#status").startswith("this page must come from a web server")


def test_the_microphone(visit: Callable[[str], Visit], exported: tuple[Path, Path]):
    one = visit((exported[0] / "index.html").as_uri())
    ready(one)
    one.page.click("#microphone")
    one.page.locator("#result").wait_for(state="visible")
    assert one.page.inner_text("#microphone") == "Stop"
    one.page.click("#microphone")
    assert one.page.inner_text("#status") == "stopped"
    assert one.complaints == []


def test_a_sound_that_is_opened_while_the_microphone_starts(
    visit: Callable[[str], Visit], exported: tuple[Path, Path], tones: Path
):
    one = visit((exported[0] / "index.html").as_uri())
    ready(one)
    one.page.evaluate(
        """() => {
          const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          globalThis.streams = [];
          navigator.mediaDevices.getUserMedia = async (wanted) => {
            await new Promise((resolve) => (globalThis.allow = resolve));
            streams.push(await get(wanted));
            return streams.at(-1);
          };
          document.getElementById("microphone").click();
        }"""
    )
    assert one.page.is_disabled("#microphone")
    assert one.open(tones / "low" / "0.wav")
    one.page.evaluate("() => allow()")
    one.page.locator("#microphone:enabled").wait_for()
    assert one.page.evaluate("() => streams.map((stream) => stream.getTracks()[0].readyState)") == ["ended"]
    assert one.page.inner_text("#microphone") == "Microphone"
    assert one.page.inner_text("#status").startswith("0.wav: ")
