"""What is printed is UTF-8 where it is redirected, and printing never fails on a name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = r"""
import sys
from audiosurvey.cli.streams import set_up_streams
set_up_streams()
print("d\u00f6g \u9e1f \udce9 \ud800")
print("\u9e1f", file=sys.stderr)
"""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8", "latin-1:strict"])
def test_redirected_output_is_utf8(encoding: str):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["dög 鸟 ".encode() + b"\xe9 \\ud800"]
    assert done.stderr.splitlines() == ["鸟".encode()]


NATIVE = """
import os, sys
from audiosurvey.cli.streams import drop_decoder_notes, set_up_streams
set_up_streams()
drop_decoder_notes()
os.write(2, b"Note: Illegal Audio-MPEG-Header 0x65006761 at offset 3071.\\n")
os.write(2, b"[src/libmpg123/parse.c:wetwork():1349] error: x\\n")
os.write(2, b"another library\\n")
print("ours", file=sys.stderr)
"""


@pytest.mark.skipif(os.name != "posix", reason="file descriptors of POSIX")
def test_notes_of_the_mp3_decoder_are_dropped_and_no_other_line():
    done = subprocess.run([sys.executable, "-c", NATIVE], capture_output=True, text=True, check=True)
    assert sorted(done.stderr.splitlines()) == ["another library", "ours"]


@pytest.mark.skipif(os.name != "posix", reason="file descriptors of POSIX")
def test_a_damaged_mp3_is_reported_by_us_alone(tmp_path: Path):
    import numpy as np
    import soundfile

    for label in ("a", "b"):
        (tmp_path / "s" / label).mkdir(parents=True)
        for number in range(3):
            sound = tmp_path / "s" / label / f"{number}.mp3"
            soundfile.write(sound, 0.3 * np.sin(np.arange(44_100) / 20), 44_100, format="MP3")
    path = tmp_path / "s" / "b" / "2.mp3"
    content = path.read_bytes()
    path.write_bytes(content[:3000] + b"\0garbage" * 200 + content[3000:])
    command = [sys.executable, "-m", "audiosurvey", "doctor", "s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "libmpg123" not in done.stderr
    assert "Note:" not in done.stderr
    assert "2.mp3" in done.stdout
