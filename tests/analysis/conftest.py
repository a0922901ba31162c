"""Runs whose analysis is written beside them, each in a folder of its own."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run of three folds."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))
