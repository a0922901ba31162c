"""What is printed is UTF-8 where it is redirected, and printing never fails on a name."""

import os
import subprocess
import sys

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
