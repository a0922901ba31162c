"""docs/performance.md is what the stored results give, and the memory of a call is measured."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks" / "performance"


def run(*words: str) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=BENCHMARKS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_is_that_of_the_stored_results(tmp_path: Path):
    page = tmp_path / "performance.md"
    run(str(BENCHMARKS), "--render", "--write", str(page))
    assert page.read_text(encoding="utf-8") == (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert "<svg" in page.with_suffix(".svg").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
def test_memory_of_a_call_is_what_it_takes_at_most():
    program = """
from memory import extra_megabytes
kept = bytearray(b"x") * (300 << 20)
def call():
    first = bytearray(b"x") * (100 << 20)
    del first
    second = bytearray(b"x") * (60 << 20)
print(*(extra_megabytes(call) for _ in range(2)))
"""
    for megabytes in map(float, run("-c", program).split()):
        assert 90 < megabytes < 130
