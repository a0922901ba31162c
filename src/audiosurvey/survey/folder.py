"""The survey folder: its cells, the run folders made from them, and what cells share."""

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from audiosurvey.runs.results.run_folder import RESULT, RunFolder

FAILURE = "failure.json"
"""Written when a cell has failed; the cell is not trained again unless that is asked for."""
CLAIM = "claim.json"
"""There while a process trains the cell."""


class Pruned(Exception):
    """A trial is ended early."""


class SurveyFolder:
    """A survey on disk. There is no other state: what is done is what has a result."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "survey.yaml"
        """A copy of the survey file."""
        self.plan = path / "plan.json"
        self.cells = path / "cells"
        self.runs = path / "runs"
        """Run folders, one for each recipe and seed, made from cells that are done."""
        self.shared = path / "shared"
        """Pretraining and embeddings that cells share."""
        self.replaced = path / "replaced"
        """Cells of earlier versions that were trained again."""

    def cell(self, cell_id: str, shared: str) -> "CellFolder":
        return CellFolder(self.cells / cell_id, self.shared / shared)

    def done(self) -> set[str]:
        """Ids of the cells that are done."""
        return self._with(RESULT)

    def failed(self) -> set[str]:
        """Ids of the cells that have failed."""
        return self._with(FAILURE) - self.done()

    def claimed(self) -> set[str]:
        """Ids of the cells that a process has claimed."""
        return self._with(CLAIM)

    def _with(self, name: str) -> set[str]:
        try:
            with os.scandir(self.cells) as entries:
                return {entry.name for entry in entries if Path(entry.path, name).exists()}
        except FileNotFoundError:
            return set()

    def set_aside(self, cell_id: str, version: str) -> None:
        """Moves a cell of an earlier version out of the way."""
        self.replaced.mkdir(parents=True, exist_ok=True)
        target, number = self.replaced / f"{cell_id}-{version}", 1
        while target.exists():
            number += 1
            target = self.replaced / f"{cell_id}-{version}-{number}"
        (self.cells / cell_id).rename(target)


class CellFolder(RunFolder):
    """The folder of one cell: a run folder whose single fold lies in it directly."""

    def __init__(self, path: Path, shared: Path) -> None:
        super().__init__(path)
        self.pretraining = shared / "pretrain"
        self.embeddings = shared
        self.shared = shared
        self.failure = path / FAILURE
        self.claim = path / CLAIM
        self.traceback = path / "traceback.txt"
        self.log = path / "log.txt"
        self.stop = path / "stop"
        """Its presence asks the process that trains the cell to end it."""
        self.pruned = path / "pruned.json"
        """Written when a trial was ended early."""

    def fold(self, number: int) -> Path:
        return self.path

    @property
    def done(self) -> bool:
        return (self.path / RESULT).exists()

    @property
    def epochs(self) -> int:
        """Epochs that have ended."""
        try:
            with (self.path / "metrics.jsonl").open("rb") as file:
                return sum(1 for _ in file)
        except OSError:
            return 0

    def stop_hook(self, record: dict[str, Any], state: object) -> bool:
        """A stop hook of the training loop. Raises Pruned after an epoch if the cell is to be stopped."""
        if self.stop.exists():
            raise Pruned
        return False

    def tidy(self, *, keep_checkpoint: bool) -> None:
        """Removes what a cell that is done no longer needs."""
        if not keep_checkpoint:
            shutil.rmtree(self.path / "checkpoint", ignore_errors=True)
        for name in (FAILURE, "traceback.txt", "deaths.json"):
            with suppress(OSError):
                (self.path / name).unlink()


def link(source: Path, target: Path) -> None:
    """Makes `target` a hard link to the file `source`, or a copy where the file system has none."""
    if target.exists():
        with suppress(OSError):
            if target.samefile(source) or target.read_bytes() == source.read_bytes():
                return
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        beside = target.with_name(target.name + ".tmp")
        shutil.copy2(source, beside)
        beside.replace(target)


def link_tree(source: Path, target: Path) -> None:
    """As `link`, for every file below a folder."""
    for path in files_below(source):
        link(path, target / path.relative_to(source))


def files_below(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".tmp")


def read_if_there(path: Path) -> dict[str, object] | None:
    """A JSON mapping that other processes may replace or remove at any time; None where it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
