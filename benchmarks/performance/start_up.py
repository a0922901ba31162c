"""Processor time of commands that end at once, compared with `import torch`."""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from rounds import Row

COMMANDS = {
    "--help": ["--help"],
    "presets": ["presets"],
    "init": ["init", "config.yaml", "--force"],
    "check": ["check", "toy"],
    "describe": ["describe", "toy"],
    "runs": ["runs", "."],
}


def processor_seconds(command: list[str], folder: Path) -> float:
    """The least of three runs."""
    # Modules are read from their compiled form, as in an installed package.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    taken = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken[1:])


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch_s = processor_seconds([sys.executable, "-c", "import torch"], folder)
        rows = []
        for title, words in COMMANDS.items():
            taken = processor_seconds([sys.executable, "-m", "audiosurvey", *words], folder)
            rows.append(
                Row(f"`audiosurvey {title}`", f"{taken:.2f} s", "`import torch`", f"{torch_s:.2f} s", torch_s / taken)
            )
        return rows
