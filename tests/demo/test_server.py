"""The demo as its users meet it: the command, the server, several clients, and the page in a real browser.

Chromium is driven by playwright; `make setup-browser` installs it. Whom the server or the page ask for anything is
written down: it has to be this computer alone.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.classifier import Classifier

pytest.importorskip("gradio", reason="the demo needs gradio: pip install audiosurvey[demo]")

WATCHED = """
import sys
def watch(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in ("127.0.0.1", "::1"):
        print("FOREIGN", args[1], file=sys.stderr, flush=True)
    if event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", "::1", "localhost", None):
        print("FOREIGN", args[0], file=sys.stderr, flush=True)
sys.addaudithook(watch)
from audiosurvey.cli.main import main
main()
"""
PATIENCE_S = 120
Command = Callable[..., tuple[int, str, str]]


@dataclass
class Served:
    """A demo that is running in a process of its own."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str = ""

    @property
    def uploads(self) -> list[Path]:
        """Sound files that the server has at this moment, its examples left out."""
        files = [path for path in (self.folder / "tmp").rglob("*") if path.is_file()]
        return [path for path in files if not path.name.startswith("example-")]

    def said(self, stream: str) -> str:
        return (self.folder / stream).read_text(encoding="utf-8")


def until(happened: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """Waits for something to become true; gives it, or what it last was."""
    end = time.monotonic() + seconds
    while not (found := happened()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def start(folder: Path, *words: object) -> Served:
    (folder / "tmp").mkdir()
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHED, "demo", *map(str, words)],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=err,
        )
    served = Served(process, folder)
    until(lambda: "\n" in served.said("out") or process.poll() is not None)
    address = re.match(r"http://127\.0\.0\.1:\d+", served.said("out"))
    if address is None:
        process.kill()
    assert address is not None, served.said("err")
    served.url = address.group()
    return served


@pytest.fixture(scope="module")
def served(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The folds of the tiny run on a free port; takes 1 MB and half a minute at most."""
    folder = tmp_path_factory.mktemp("demo")
    one = start(folder, finished_run, "--port", 0, "--max-mb", 1, "--max-minutes", 0.5)
    yield one
    one.process.kill()
    one.process.wait()


@pytest.fixture(scope="module")
def model(finished_run: Path) -> Classifier:
    return audiosurvey.load(finished_run / "fold-1" / "model")


@pytest.fixture(scope="module")
def clips(model: Classifier, tones: Path) -> dict[str, Path]:
    """A clip of each class that the tiny model knows."""
    paths = sorted(tones.glob("*/*.wav"), reverse=True)
    right = {path.parent.name: path for path in paths if next(iter(model.predict(path))) == path.parent.name}
    assert len(right) >= 2
    return right


# The command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["demo", "nowhere"], "nowhere: no such file or folder, so not a model"),
        (["demo", "."], "no model in it"),
        (["demo", "RUN", "--examples", "nowhere"], "--examples nowhere: no such folder"),
        (["demo", "RUN", "--host", "no.such.host.invalid"], "--host no.such.host.invalid: no such address"),
        (["demo", "RUN", "--port", "70000"], "invalid value for '--port'"),
        (["demo", "RUN", "--threshold", "2"], "invalid value for '--threshold'"),
        (["demo", "RUN", "--max-mb", "0"], "invalid value for '--max-mb'"),
    ],
)
def test_a_mistake_is_one_line(
    command: Command, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words, said
):
    monkeypatch.chdir(tmp_path)
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_RUN_HISTORY", "GRADIO_TEMP_DIR", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    status, out, err = command(*[finished_run if word == "RUN" else word for word in words], *_free_port(words))
    lines = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert (status, out, len(lines)) == (2, "", 1), err
    assert said in lines[0]


def _free_port(words: list[str]) -> list[str]:
    return [] if "--port" in words else ["--port", "0"]


def test_a_busy_port_is_told(command: Command, finished_run: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, err = command("demo", finished_run, "--port", port)
    assert status == 2
    assert err == f"--port {port}: already in use on 127.0.0.1; give another, or 0 for any free port\n"


def test_without_gradio_it_says_what_to_install(command: Command, finished_run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_RUN_HISTORY", "GRADIO_TEMP_DIR", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    status, _, err = command("demo", finished_run, "--port", 0)
    assert status == 2
    assert err == "demo: the page needs gradio; run `pip install audiosurvey[demo]`\n"


# Clients


def test_two_clients_at_once_each_get_their_own_answer(
    served: Served, clips: dict[str, Path], model: Classifier, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    import gradio_client

    def visit(label: str) -> list[str]:
        client = gradio_client.Client(served.url, verbose=False, httpx_kwargs={"timeout": 120})
        sound = gradio_client.handle_file(str(clips[label]))
        jobs = [client.submit(sound, "fold-1", api_name="/listen") for _ in range(5)]
        return [job.result(timeout=PATIENCE_S)[0] for job in jobs]

    labels = list(clips)[:2]
    with ThreadPoolExecutor(2) as pool:
        pages = dict(zip(labels, pool.map(visit, labels), strict=True))
    for label in labels:
        assert len(pages[label]) == 5
        for page in pages[label]:
            # The page answers as the Python API: with the class, or `unknown` below its threshold.
            assert f'<p class="answer">{model.decide(clips[label])[0]}</p>' in page
            scores = [f"{score:.3f}" for score in model.predict(clips[label]).values()]
            assert re.findall(r'class="score">([\d.]+)<', page) == scores


def ask(url: str, place: object) -> str:
    """What the page's interface answers to a client that says `place` is its upload."""
    import httpx

    data = [{"path": str(place), "meta": {"_type": "gradio.FileData"}}, "fold-1"]
    event = httpx.post(f"{url}/gradio_api/call/listen", json={"data": data}).json()["event_id"]
    return httpx.get(f"{url}/gradio_api/call/listen/{event}", timeout=PATIENCE_S).text


def test_a_client_reaches_only_what_was_uploaded(served: Served, clips: dict[str, Path], tmp_path: Path):
    import httpx

    label, clip = next(iter(clips.items()))
    private, drawing = tmp_path / "not-sent.wav", tmp_path / "not-sent.svg"
    shutil.copy(clip, private)
    shutil.copy(clip, drawing)
    # The drawing twice: what Gradio makes of the first question must not open the door to the second.
    for place in (private, drawing, drawing, "/etc/hostname", "https://sounds.example/a.wav", "file:///etc/hostname"):
        assert "event: error" in ask(served.url, place), place
    assert not [path for path in served.uploads if path.name in (private.name, drawing.name, "hostname")]
    with clip.open("rb") as sound:
        (place,) = httpx.post(f"{served.url}/gradio_api/upload", files={"files": ("mine.wav", sound)}).json()
    assert f'<p class=\\"answer\\">{label}</p>' in ask(served.url, place)
    large = httpx.post(f"{served.url}/gradio_api/upload", files={"files": ("large.wav", bytes(1_100_000))})
    assert large.status_code == 413


# The browser


@dataclass
class Visit:
    """An open page, and what it asked for."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def upload(self, path: Path) -> None:
        self.page.set_input_files("#sound input[type=file]", str(path))

    def wait(self, selector: str, words: str) -> None:
        self.page.locator(selector, has_text=words).wait_for(timeout=PATIENCE_S * 1000)


@pytest.fixture(scope="module")
def browser(launch_browser: Callable[..., Any]) -> Any:
    """Chromium with a microphone that beeps."""
    return launch_browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    one = Visit(page)
    page.on("request", lambda request: one.requests.append(request.url))
    page.on("console", lambda message: one.complaints.append(message.text))
    page.goto(served.url)
    page.wait_for_selector("#sound input[type=file]", state="attached", timeout=PATIENCE_S * 1000)
    yield one
    page.close()
    foreign = [url for url in one.requests if not url.startswith((served.url, "data:", "blob:"))]
    assert foreign == []
    assert not [words for words in one.complaints if "Content Security Policy" in words]


def test_a_clip_reads_the_right_class(visit: Visit, clips: dict[str, Path], model: Classifier):
    for path in clips.values():
        visit.upload(path)
        visit.wait(".answer", model.decide(path)[0])
        visit.wait(".what", path.name)
        scores = model.predict(path)
        assert visit.page.locator(".bars .label").all_inner_texts() == list(scores)
        assert visit.page.locator(".bars .score").all_inner_texts() == [f"{score:.3f}" for score in scores.values()]
        visit.page.get_by_role("button", name="Clear").click()
        visit.wait("#heard", "The classes of your sound appear here.")
    assert len(visit.requests) > 20


def test_a_long_sound_shows_its_scores_over_time(visit: Visit, tmp_path: Path):
    seconds = np.arange(8000 * 10) / 8000
    soundfile.write(tmp_path / "long.wav", 0.3 * np.sin(2 * np.pi * np.where(seconds < 5, 300, 2500) * seconds), 8000)
    visit.upload(tmp_path / "long.wav")
    visit.wait(".what", "long.wav, 10 s")
    assert visit.page.locator(".lines polyline").count() == 4
    assert sorted(visit.page.locator(".legend li").all_inner_texts()) == ["high", "low", "mid", "noise"]
    # On a telephone nothing stands out at the side.
    visit.page.set_viewport_size({"width": 390, "height": 800})
    assert until(lambda: visit.page.evaluate("document.documentElement.scrollWidth") == 390, 10)


def test_what_is_no_sound_is_refused_in_words_and_the_page_lives_on(
    visit: Visit, served: Served, clips: dict[str, Path], model: Classifier, tmp_path: Path
):
    clip = next(iter(clips.values()))
    before = served.said("err")
    (tmp_path / "notes.txt").write_text("no sound\n")
    visit.upload(tmp_path / "notes.txt")
    visit.wait("#refused", "notes.txt: not a sound file (WAV, FLAC, OGG, MP3, AIFF, ...)")
    (tmp_path / "empty.wav").touch()
    visit.upload(tmp_path / "empty.wav")
    visit.wait("#refused", "empty.wav: the file is empty (0 bytes)")
    soundfile.write(tmp_path / "large.wav", np.zeros(600_000), 8000)
    visit.upload(tmp_path / "large.wav")
    visit.wait("#refused", "large.wav: 1.20 MB; the limit is 1 MB")
    assert not [url for url in visit.requests if "/upload" in url]
    (tmp_path / "notes.wav").write_text("no sound\n")
    visit.upload(tmp_path / "notes.wav")
    visit.wait("#heard .mistake", "notes.wav: not a sound file that can be read")
    assert not visit.page.locator("#refused .refused").is_visible()
    visit.page.get_by_role("button", name="Clear").click()
    visit.wait("#heard", "The classes of your sound appear here.")
    soundfile.write(tmp_path / "slow.wav", np.zeros(8000 * 31), 8000)
    visit.upload(tmp_path / "slow.wav")
    visit.wait("#heard .mistake", "slow.wav: too long; the limit is 0.5 minutes of sound")
    visit.page.get_by_role("button", name="Clear").click()
    visit.wait("#heard", "The classes of your sound appear here.")
    visit.upload(clip)
    visit.wait(".answer", model.decide(clip)[0])
    assert served.said("err") == before


def test_a_recording_is_heard(visit: Visit):
    visit.page.get_by_label("Record audio").click()
    visit.page.get_by_role("button", name="Record", exact=True).click()
    visit.page.wait_for_timeout(1500)
    visit.page.locator("#sound button:visible", has_text="Stop").click()
    visit.wait(".what", "audio.wav")
    assert visit.page.locator(".bars .row").count() == 4


def test_examples_and_other_models_are_to_be_had(visit: Visit, model: Classifier):
    visit.page.locator("#examples button", has_text="noise").first.click()
    visit.wait(".what", ".wav, 0.5 s")
    before = visit.page.locator(".bars .score").all_inner_texts()
    visit.wait("#about", "fold-1")
    visit.page.get_by_label("Model").click()
    visit.page.get_by_role("option", name="fold-2").click()
    visit.wait("#about", "fold-2")
    until(lambda: visit.page.locator(".bars .score").all_inner_texts() != before, 30)
    assert visit.page.locator(".bars .score").all_inner_texts() != before


def test_an_upload_is_gone_when_the_visitor_is(browser: Any, served: Served, clips: dict[str, Path], tmp_path: Path):
    page = browser.new_page()
    page.goto(served.url)
    shutil.copy(next(iter(clips.values())), tmp_path / "private-one.wav")
    shutil.copy(list(clips.values())[1], tmp_path / "private-two.wav")
    visit = Visit(page)
    for name in ("private-one.wav", "private-two.wav"):
        page.wait_for_selector("#sound input[type=file]", state="attached", timeout=PATIENCE_S * 1000)
        visit.upload(tmp_path / name)
        visit.wait(".what", name)
        assert [path.name for path in served.uploads if "private" in path.name] == [name]
        if name == "private-one.wav":
            page.get_by_role("button", name="Clear").click()
            visit.wait("#heard", "The classes of your sound appear here.")
            until(lambda: not [path for path in served.uploads if "private" in path.name], 30)
    page.close()
    until(lambda: not [path for path in served.uploads if "private" in path.name], 30)
    assert not [path for path in served.uploads if "private" in path.name]


# The end


def test_ctrl_c_ends_it_cleanly_and_nothing_is_left(served: Served, monkeypatch: pytest.MonkeyPatch):
    """The last of this file: the server that all tests have used. Somebody still has the page open."""
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    import gradio_client

    visitor = gradio_client.Client(served.url, verbose=False, httpx_kwargs={"timeout": 120})
    assert "appear here" in visitor.predict(None, "fold-1", api_name="/listen")[0]
    before = served.said("err")
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=PATIENCE_S) == 0
    assert "FOREIGN" not in before
    assert served.said("err") == before
    assert served.said("out").count("\n") == 1
    assert [path.name for path in (served.folder / "tmp").iterdir() if path.name.startswith("audiosurvey")] == []
