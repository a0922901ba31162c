"""The survey folder: its cells, the run folders made from them, and what cells share."""

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from audiosurvey.runs.results.run_folder import RESULT, RunFolder

FAILURE = "failure.json"
"""Written when a cell has failed; the cell is not trained again unless that is asked for."""
PRUNED = "pruned.json"
"""Written when a trial was ended early."""
CLAIM = "claim.json"
"""There while a process trains the cell."""


class Identified(Protocol):
    """A cell, or a mention of it: its id, and the name of the folder of what it shares with others."""

    @property
    def id(self) -> str: ...

    @property
    def shared(self) -> str: ...


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
        """Cells of earlier versions that were trained again, and runs of other rows and configs."""

    def cell(self, cell: Identified) -> "CellFolder":
        return CellFolder(self.cells / cell.id, self.shared / cell.shared)

    @property
    def empty(self) -> bool:
        """Whether there is neither a cell nor a run."""
        return not any(path.is_dir() and any(path.iterdir()) for path in (self.cells, self.runs))

    def states(self) -> "CellStates":
        """What the folders of all cells say, in one pass."""
        found = CellStates(set(), set(), set(), set())
        with suppress(FileNotFoundError), os.scandir(self.cells) as entries:
            for entry in entries:
                if os.path.exists(f"{entry.path}/{RESULT}"):  # noqa: PTH110 - much faster than Path for thousands
                    found.done.add(entry.name)
                    continue
                if Path(entry.path, FAILURE).exists():
                    found.failed.add(entry.name)
                if Path(entry.path, PRUNED).exists():
                    found.pruned.add(entry.name)
                if Path(entry.path, CLAIM).exists():
                    found.claimed.add(entry.name)
        return found

    def set_aside(self, path: Path, version: str | None = None) -> Path:
        """Moves a cell (`version`: the one that trained it) or a run to `replaced`, numbered as far as needed. Returns
        where it is now."""
        self.replaced.mkdir(parents=True, exist_ok=True)
        name = f"{path.name}-{version}" if version else path.name
        target, number = self.replaced / (name if version else f"{name}-1"), 1
        while target.exists():
            number += 1
            target = self.replaced / f"{name}-{number}"
        path.rename(target)
        return target


@dataclass(frozen=True)
class CellStates:
    """Ids of cells."""

    done: set[str]
    """They have a result."""
    failed: set[str]
    """They have a failure and no result."""
    claimed: set[str]
    """A process has claimed them, and they have no result."""
    pruned: set[str]
    """Trials that their search has ended early."""

    @property
    def ended(self) -> set[str]:
        """Done or failed."""
        return self.done | self.failed


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
        self.deaths = path / "deaths.json"
        """How many processes died in a row without finishing an epoch."""
        self.log = path / "log.txt"
        self.stop = path / "stop"
        """Its presence asks the process that trains the cell to end it."""
        self.pruned = path / PRUNED

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
        self.forget_failure()

    def forget_failure(self) -> None:
        """Removes what a failure left, so that the cell is trained again."""
        for path in (self.deaths, self.traceback, self.failure):
            with suppress(OSError):
                path.unlink()

    def forget_pruning(self) -> None:
        """Removes what a search left that has ended the trial early, so that it is trained again."""
        for path in (self.stop, self.pruned):
            with suppress(OSError):
                path.unlink()


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
