"""Training beside another busy process: two threads compared with one, and with threads that spin while they wait.

Each round trains two epochs of one fold on the built-in data in a process of its own, beside a process that keeps one
core busy.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rounds import Row, alternate, compared

LONGEST_S = 3600
TRAIN = ["-m", "audiosurvey", "train", "toy", "--folds", "1", "--set", "train.epochs=2", "--set", "tracking=[]"]


@contextmanager
def busy() -> Iterator[None]:
    """Another process that computes all the time, and ends with the block, or after an hour."""
    loop = f"import time\nend = time.monotonic() + {LONGEST_S}\nwhile time.monotonic() < end: sum(range(10000))"
    process = subprocess.Popen([sys.executable, "-c", loop])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def training(folder: Path, *options: str, **environment: str) -> Callable[[], None]:
    number = 0

    def run() -> None:
        nonlocal number
        number += 1
        name = "-".join([*options, *environment.values(), str(number)]).replace("--", "")
        command = [sys.executable, *TRAIN, "--run-dir", str(folder / name), *options]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})

    return run


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name, busy():
        folder = Path(name)
        ways = {
            "two threads": training(folder, "--threads", "2"),
            "one thread": training(folder, "--threads", "1"),
            "two threads that spin (libgomp's default)": training(folder, "--threads", "2", GOMP_SPINCOUNT="300000"),
        }
        return compared(
            "`train toy`, two epochs of one fold, beside a busy process",
            alternate(ways, rounds=3, memory=False),
            unit="s",
        )
