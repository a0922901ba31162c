"""Freed memory is kept: a step that allocates what the last one freed meets no page faults."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.confstr("CS_GNU_LIBC_VERSION") is None, reason="not glibc"
)

_BLOCK = 64 << 20
_COUNT = f"""
import resource
from audiosurvey.allocator import keep_freed_memory
print(KEEP and keep_freed_memory())
def step():
    for _ in range(4):
        bytearray({_BLOCK})
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, keep: bool, **environment: str) -> tuple[str, int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    run = subprocess.run(
        [sys.executable, "-c", f"KEEP = {keep}\n{_COUNT}"],
        capture_output=True,
        text=True,
        check=True,
        env=clean | environment,
    )
    said, count = run.stdout.split()
    return said, int(count)


def test_pages_are_faulted_in_once():
    # Blocks of 64 MB, of pages of at most 2 MB: 32 faults each at the very least where they are mapped anew.
    assert faults(keep=False)[1] >= 4 * 32
    said, count = faults(keep=True)
    assert said == "True"
    assert count < 10


@pytest.mark.parametrize(
    "chosen", [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=65536"}]
)
def test_a_choice_in_the_environment_is_kept(chosen):
    said, count = faults(keep=True, **chosen)
    assert said == "False"
    assert count >= 4 * 32


def test_elsewhere_nothing_is_done(monkeypatch):
    from audiosurvey import allocator

    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert not allocator.keep_freed_memory()
