"""The API as its clients meet it: answers are those of `predict --format json`, faults are one line."""

import asyncio
import errno
import gzip
import io
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.classifier import Classifier

pytest.importorskip("fastapi", reason="the API needs audiosurvey[serve]")
from fastapi.testclient import TestClient

from audiosurvey.serving import app as app_module
from audiosurvey.serving import uploads as uploads_module
from audiosurvey.serving.app import build_app
from audiosurvey.serving.limits import UploadLimits
from audiosurvey.serving.server import ServeOptions

RAW = {"content-type": "application/octet-stream"}
LIMITS = UploadLimits(mb=0.5, minutes=1)


@pytest.fixture(scope="module")
def model_folder(finished_run: Path) -> Path:
    return finished_run / "fold-1" / "model"


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Classifier:
    return audiosurvey.load(model_folder)


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


@pytest.fixture
def client(model: Classifier, uploads: Path) -> Iterator[TestClient]:
    with TestClient(build_app(model, "tiny", ServeOptions(limits=LIMITS), uploads)) as client:
        yield client


@pytest.fixture(scope="module")
def long_sound(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 s: low tones, then high ones."""
    parts = [soundfile.read(tones / name / "0.wav")[0] for name in ("low", "high") for _ in range(40)]
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.concatenate(parts), 8000, subtype="PCM_U8")
    return path


def predicted(command: Callable[..., tuple[int, str, str]], *words: object) -> dict[str, Any]:
    status, out, err = command("predict", *words, "--format", "json", "--scores")
    assert status == 0, err
    found = json.loads(out)
    for one in found["results"]:
        one["path"] = Path(one["path"]).name
    return found


def test_an_answer_is_that_of_predict(client: TestClient, command, model_folder: Path, tones: Path):
    sound = tones / "mid" / "3.wav"
    wanted = predicted(command, model_folder, sound)
    form = client.post("/predict", files={"file": ("3.wav", sound.read_bytes())})
    body = client.post("/predict?name=3.wav", content=sound.read_bytes(), headers=RAW)
    assert (form.status_code, form.json()) == (200, wanted)
    assert (body.status_code, body.json()) == (200, wanted)


@pytest.mark.parametrize(("query", "words"), [("?on=0.3", ["--on", 0.3]), ("?events=false", [])])
def test_long_sounds_have_events_or_windows(
    query: str, words: list[Any], client: TestClient, command, model_folder: Path, long_sound: Path
):
    wanted = predicted(command, model_folder, long_sound, *words)
    assert wanted["results"]
    assert wanted["results"][0]["start_s"] > 0 or len(wanted["results"]) > 1
    answer = client.post(f"/predict{query}", files={"file": ("long.wav", long_sound.read_bytes())})
    assert answer.json() == wanted


def test_parameters_are_those_of_predict(client: TestClient, command, model_folder: Path, tones: Path):
    sound = tones / "low" / "0.wav"
    files = {"file": ("0.wav", sound.read_bytes())}
    top = client.post("/predict?top=2&scores=false", files=files).json()["results"][0]
    assert len(top["labels"]) == 2
    assert "scores" not in top
    assert top["labels"] == predicted(command, model_folder, sound, "--top", 2)["results"][0]["labels"]
    assert client.post("/predict?threshold=1", files=files).json()["results"][0]["label"] == "unknown"


def test_any_format_is_read(client: TestClient, tones: Path, model: Classifier):
    wave_S, rate = soundfile.read(tones / "low" / "0.wav")
    scores = model.predict(wave_S)
    for kind in ("FLAC", "OGG", "AIFF"):
        file = io.BytesIO()
        soundfile.write(file, wave_S, rate, format=kind)
        answer = client.post("/predict", content=file.getvalue(), headers=RAW)
        assert answer.json()["results"][0]["label"] == max(scores := model.predict(wave_S), key=scores.__getitem__), (
            kind
        )


def wav(seconds: float, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(round(seconds * rate), np.float32), rate, format="WAV", subtype="PCM_U8")
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        (b"", 400, "empty: no sound was sent"),
        (b"hello", 422, "sound: not a sound file that can be read"),
        (gzip.compress(b"hello", mtime=0), 422, "sound: not a sound file that can be read"),
        (wav(1)[:3000], 422, "sound: "),
        (bytes(600_000), 413, "too large: the limit is 0.5 MB"),
        (wav(61), 413, "sound: too long; the limit is 1 minute of sound"),
        (wav(100, rate=100), 413, "sound: too long; the limit is 1 minute of sound"),
        (wav(0), 422, "sound: "),
    ],
    ids=["nothing", "text", "gzip", "cut off", "too many bytes", "too long", "too long at a low rate", "no samples"],
)
@pytest.mark.parametrize("as_form", [False, True])
def test_what_is_refused_is_one_line(
    client: TestClient, uploads: Path, body: bytes, status: int, line: str, as_form: bool
):
    if as_form:
        answer = client.post("/predict", files={"file": ("sound", body)})
    else:
        answer = client.post("/predict", content=body, headers=RAW)
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert detail.startswith(line)
    assert "\n" not in detail
    assert list(uploads.iterdir()) == []


SCOPE = {
    "type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": [],
    "http_version": "1.1", "scheme": "http", "server": ("test", 80), "root_path": "", "raw_path": b"/predict",
}  # fmt: skip


def answer_to(client: TestClient, messages: Iterator[dict[str, Any]]) -> tuple[int, str]:
    """Status and detail of the application itself: a test client would read the body first."""
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        answers.append(message)

    asyncio.run(client.app(dict(SCOPE), receive, send))  # pyright: ignore[reportArgumentType]
    return answers[0]["status"], json.loads(answers[1]["body"])["detail"]


def test_a_body_of_unknown_length_is_not_read_beyond_the_limit(client: TestClient):
    sent = ({"type": "http.request", "body": bytes(100_000), "more_body": True} for _ in range(1000))
    assert answer_to(client, sent) == (413, "too large: the limit is 0.5 MB")
    assert len(list(sent)) > 990


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"data": {"x": "1"}}, "no file in the form"),
        ({"files": [("a", ("a.wav", b"1")), ("b", ("b.wav", b"2"))]}, "not a form with one file: too many files"),
        ({"content": b"nonsense", "headers": {"content-type": "multipart/form-data"}}, "not a form with one file"),
        (
            {"content": b"nonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            "not a form with one file",
        ),
    ],
)
def test_forms_have_one_file(client: TestClient, fields: dict[str, Any], line: str):
    if "data" in fields:
        fields = {"files": {"x": (None, "1")}}
    answer = client.post("/predict", **fields)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(line)


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("top=0", "top: input should be"),
        ("threshold=2", "threshold=2.0: expected a score from 0 to 1"),
        ("threshold=x", "threshold='x': expected a score from 0 to 1, or model"),
        ("on=0.5&events=false", "on: is for events; leave events=False out"),
        ("events=maybe", "events: input should be a valid boolean"),
    ],
)
def test_parameters_that_do_not_fit(client: TestClient, query: str, line: str):
    answer = client.post(f"/predict?{query}", content=wav(1), headers=RAW)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(line)


def test_names_are_shown_without_folders(client: TestClient, tones: Path):
    sound = (tones / "low" / "0.wav").read_bytes()
    for given in ("../../etc/x.wav", "C:\\sounds\\x.wav", "x.wav\n"):
        answer = client.post("/predict", params={"name": given}, content=sound, headers=RAW)
        assert answer.json()["results"][0]["path"] == "x.wav"


def test_requests_beyond_the_limit_are_turned_away(model: Classifier, uploads: Path, tones: Path):
    sound = (tones / "low" / "0.wav").read_bytes()
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def uncalibrated(self, wave: Any) -> np.ndarray:
            entered.set()
            assert leave.wait(60)
            return model.uncalibrated(wave)

    slow: Any = Slow()
    with (
        TestClient(build_app(slow, "tiny", ServeOptions(max_waiting=1), uploads)) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(client.post, "/predict", content=sound, headers=RAW)
        assert entered.wait(60)
        refused = client.post("/predict", content=sound, headers=RAW)
        leave.set()
        assert first.result().status_code == 200
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["detail"] == "busy: 1 requests are waiting; try again later"
        assert client.post("/predict", content=sound, headers=RAW).status_code == 200


def test_health_model_metrics_and_page(client: TestClient, tones: Path, model: Classifier):
    assert client.get("/health").json() == {"status": "ok"}
    about = client.get("/model").json()
    assert (about["labels"], about["sample_rate"], about["max_mb"]) == (model.labels, 8000, 0.5)
    client.post("/predict", content=(tones / "low" / "0.wav").read_bytes(), headers=RAW)
    client.post("/predict", content=b"", headers=RAW)
    client.get("/nothing/here")
    lines = client.get("/metrics").text.splitlines()
    assert 'audiosurvey_requests_total{path="/predict",status="200"} 1.0' in lines
    assert 'audiosurvey_requests_total{path="/predict",status="400"} 1.0' in lines
    assert 'audiosurvey_requests_total{path="other",status="404"} 1.0' in lines
    assert "audiosurvey_sound_seconds_total 0.5" in lines
    assert "audiosurvey_predict_seconds_count 2.0" in lines
    assert "audiosurvey_requests_in_progress 0.0" in lines
    page = client.get("/docs")
    assert "/predict" in page.text
    assert "http" not in page.text.replace("http://127.0.0.1:8000", "").replace('"http', "")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/health", "/model", "/metrics"}
    assert set(described["paths"]["/predict"]["post"]["responses"]) == {
        *("200", "400", "408", "413", "422", "500", "503", "507")
    }


def test_what_is_not_there(client: TestClient):
    answer = client.get("/predict")
    assert answer.status_code == 405
    assert answer.json()["detail"].startswith("GET /predict: not known here; there are POST /predict")


class Failing:
    """A model that raises an error."""

    def __init__(self, model: Classifier, error: Exception) -> None:
        self._model, self._error = model, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def uncalibrated(self, wave: Any) -> np.ndarray:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (RuntimeError("no memory\nat all"), 500, "internal error; see the server's log"),
        (OSError(errno.EIO, "broken"), 500, "internal error; see the server's log"),
        (OSError(errno.ENOSPC, "full"), 507, "The server's disk is full."),
    ],
)
def test_internal_errors_are_one_line_and_counted(
    model: Classifier, uploads: Path, error: Exception, status: int, line: str
):
    failing: Any = Failing(model, error)
    app = build_app(failing, "tiny", ServeOptions(limits=LIMITS), uploads)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.post("/predict", content=wav(1), headers=RAW)
        assert (answer.status_code, answer.json()) == (status, {"detail": line})
        lines = client.get("/metrics").text.splitlines()
    assert f'audiosurvey_requests_total{{path="/predict",status="{status}"}} 1.0' in lines


def test_a_body_that_trickles_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    clock = itertools.count(step=29.0)
    monkeypatch.setattr(uploads_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    sent = ({"type": "http.request", "body": b"1", "more_body": True} for _ in range(5))
    assert answer_to(client, sent) == (408, "incomplete: sent too slowly")
    assert len(list(sent)) == 3


def test_a_client_that_leaves_is_not_waited_for(
    model: Classifier, uploads: Path, tones: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(app_module, "_CONNECTED_S", 0.05)
    leave = threading.Event()

    class Slow(Failing):
        def uncalibrated(self, wave: Any) -> np.ndarray:
            assert leave.wait(60)
            return model.uncalibrated(wave)

    slow: Any = Slow(model, RuntimeError())
    with TestClient(build_app(slow, "tiny", ServeOptions(), uploads)) as client:
        body = (tones / "low" / "0.wav").read_bytes()
        messages = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
        assert answer_to(client, iter(messages)) == (400, "incomplete: the connection was closed")
        leave.set()
        assert list(uploads.iterdir()) == []
