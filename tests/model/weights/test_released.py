"""Weights by name, address and path: found in the cache, fetched once, verified, and what is said without a network."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from audiosurvey.errors import UserError
from audiosurvey.model.weights import released as module
from audiosurvey.model.weights.released import RELEASED, locate, misnamed, on_disk, released

CONTENT = b"weights" * 1000


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """The address of a file, and the requests that came."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if "missing" not in self.path else 404)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, format: str, *args: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/weights.pt?download=1", asked
    running.shutdown()
    running.server_close()


def put(monkeypatch: pytest.MonkeyPatch, url: str, digest: str | None) -> None:
    monkeypatch.setitem(
        module.RELEASED, "efficientat/mn04_as", replace(RELEASED["efficientat/mn04_as"], url=url, digest=digest)
    )


def refused(init: str) -> str:
    with pytest.raises(UserError) as caught:
        locate(init, tries=1)
    (line,) = caught.value.lines
    assert "\n" not in line
    assert line.startswith("model.init: ")
    return line


@pytest.mark.parametrize("kind", ["sha256", "md5", None])
def test_a_name_is_fetched_once_and_verified(server, tmp_cache: Path, monkeypatch: pytest.MonkeyPatch, kind) -> None:
    url, asked = server
    put(monkeypatch, url, kind and f"{kind}:{hashlib.new(kind, CONTENT).hexdigest()}")
    assert on_disk("efficientat/mn04_as") is None
    path = locate("efficientat/mn04_as")
    assert path == tmp_cache / "weights" / "weights.pt"
    assert path.read_bytes() == CONTENT
    assert on_disk("efficientat/mn04_as") == path
    assert locate("efficientat/mn04_as") == path
    assert len(asked) == 1
    assert [entry.name for entry in path.parent.iterdir() if entry.suffix != ".lock"] == ["weights.pt"]


def test_another_content_is_refused_and_removed(server, tmp_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, server[0], "sha256:" + "0" * 64)
    assert "the download has the wrong checksum" in refused("efficientat/mn04_as")
    assert [entry for entry in (tmp_cache / "weights").iterdir() if entry.suffix != ".lock"] == []


def test_an_address_is_kept_under_a_name_of_its_own(server, tmp_cache: Path) -> None:
    url, asked = server
    path = locate(url)
    assert path.parent == tmp_cache / "weights"
    assert path.name.endswith("-weights.pt")
    assert locate(url) == path
    assert locate(url.replace("?download=1", "?download=2")) != path
    assert len(asked) == 2


def test_without_a_network_one_line_tells_where_the_file_goes(tmp_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, "http://127.0.0.1:9/weights.pt", None)
    line = refused("efficientat/mn04_as")
    assert "http://127.0.0.1:9/weights.pt: the download failed" in line
    target = tmp_cache / "weights" / "weights.pt"
    assert line.endswith(f"without a network, put the file at {target}")
    target.write_bytes(CONTENT)
    assert locate("efficientat/mn04_as") == target


def test_the_server_does_not_have_it(server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "404" in refused(server[0].replace("weights.pt", "missing.pt"))


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({}, tmp_path / "w.pt")
    monkeypatch.chdir(tmp_path)
    assert locate("w.pt") == Path("w.pt")
    assert locate(str(tmp_path)) == tmp_path
    assert "no such file or folder, and no weights of that name" in refused("v.pt")
    assert "did you mean efficientat/mn04_as?" in refused("efficientat/mn04-as")
    assert on_disk("\0") is None


def test_a_name_that_is_none() -> None:
    said = misnamed("panns/cnn15")
    assert said is not None
    assert "did you mean panns/cnn1" in said
    assert misnamed("panns/cnn14") is None
    assert misnamed("folder/cnn15") is None


def test_what_is_published() -> None:
    assert {name.split("/")[0] for name in RELEASED} == {"efficientat", "panns", "ced"}
    assert RELEASED["efficientat/mn10_as"].url.endswith("/releases/download/v0.0.1/mn10_as_mAP_471.pt")
    assert RELEASED["panns/cnn14"].file == "Cnn14_mAP=0.431.pth"
    assert len({found.file for found in RELEASED.values()}) == len(RELEASED)
    # The file's name is enough to know what it is.
    assert released("/some/where/mn10_as_hop_15_mAP_463.pt") is RELEASED["efficientat/mn10_as_hop_15"]
    assert released("https://elsewhere.org/Cnn14_16k_mAP%3D0.438.pth?x=1") is RELEASED["panns/cnn14_16k"]
    assert released("audiotransformer_small_mAP_4958.pt") is RELEASED["ced/ced-small"]
    assert released("mine.pt") is None


def test_the_home_of_no_user_is_one_line() -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        locate("~no-such-user/weights.pt")
