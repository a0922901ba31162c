"""Freed memory is kept, or shared by all threads."""

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
    assert not allocator.share_freed_memory()


_HEAPS = """
import ctypes, re, tempfile, threading
from audiosurvey.allocator import share_freed_memory
print(SHARE and share_freed_memory())
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
all_there = threading.Barrier(12)
def allocate():
    all_there.wait()
    libc.malloc(ctypes.c_size_t(100_000))
    all_there.wait()
threads = [threading.Thread(target=allocate) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(len(re.findall(b"<heap nr", file.read())))
"""


def test_threads_share_one_heap():
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}

    def said(share: bool) -> list[str]:
        command = [sys.executable, "-c", f"SHARE = {share}\n{_HEAPS}"]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=clean).stdout.split()

    assert int(said(False)[1]) > 1
    assert said(True) == ["True", "1"]
