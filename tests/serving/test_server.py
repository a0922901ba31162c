"""The command `serve`, in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import audiosurvey
from audiosurvey.errors import UserError

pytest.importorskip("fastapi", reason="the API needs audiosurvey[serve]")
httpx = pytest.importorskip("httpx")

PATIENCE_S = 120


def until(happened: Callable[[], object]) -> object:
    end = time.monotonic() + PATIENCE_S
    while not (found := happened()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(how: signal.Signals, finished_run: Path, tones: Path, tmp_path: Path):
    (tmp_path / "tmp").mkdir()
    words = ["-m", "audiosurvey", "serve", str(finished_run / "fold-1" / "model"), "--port", "0", "--threads", "1"]
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, *words], stdout=out, stderr=err, env=os.environ | {"TMPDIR": str(tmp_path / "tmp")}
        )
    try:
        until(lambda: "\n" in (tmp_path / "out").read_text() or process.poll() is not None)
        said = (tmp_path / "out").read_text()
        address = re.match(r"(http://127\.0\.0\.1:\d+)  \(press Ctrl-C to stop\)\n$", said)
        assert address, (tmp_path / "err").read_text()
        body = (tones / "low" / "0.wav").read_bytes()
        answer = httpx.post(f"{address[1]}/predict", content=body, timeout=PATIENCE_S)
        assert (answer.status_code, len(answer.json()["results"])) == (200, 1)
        # The rest of an oversized body of unknown length is taken, so that its sender sees the answer.
        large = httpx.post(f"{address[1]}/predict", content=(bytes(1 << 20) for _ in range(110)), timeout=PATIENCE_S)
        assert (large.status_code, large.json()) == (413, {"detail": "too large: the limit is 100 MB"})
        process.send_signal(how)
        assert process.wait(PATIENCE_S) == 0
        assert (tmp_path / "err").read_text() == ""
        assert list((tmp_path / "tmp").glob("audiosurvey-*")) == []
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no such"),
        (["MODEL", "--host", "no.such.host.invalid"], "--host no.such.host.invalid: no such address"),
        (["MODEL", "--port", "70000"], "invalid value for '--port'"),
        (["MODEL", "--batch-size", "0"], "invalid value for '--batch-size'"),
        (["MODEL", "--max-mb", "0"], "invalid value for '--max-mb'"),
        (["MODEL", "--device", "abacus"], "device abacus: not available"),
    ],
)
def test_a_mistake_is_one_line(command, finished_run: Path, words: list[str], said: str):
    model = str(finished_run / "fold-1" / "model")
    status, out, err = command("serve", *[model if word == "MODEL" else word for word in words])
    lines = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert (status, out, len(lines)) == (2, "", 1), err
    assert said in lines[0]


@pytest.mark.parametrize("value", [-1, 0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["max_mb", "max_minutes"])
def test_limits_are_above_0(finished_run: Path, name: str, value: float):
    for serve in (audiosurvey.serve_api, audiosurvey.serve_demo):
        with pytest.raises(UserError, match=rf"{name}={value}: expected a number above 0"):
            serve(finished_run, **{name: value})


def test_a_port_is_a_whole_number(finished_run: Path):
    with pytest.raises(UserError, match=r"port=70000: expected a number from 0 to 65535"):
        audiosurvey.serve_api(finished_run, port=70000)
