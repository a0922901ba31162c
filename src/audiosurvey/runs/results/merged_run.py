"""A run folder made of the folds of several runs, as one run would have left it: `merge --run-dir`.

Every finished fold is copied with its model, predictions, log and checkpoint; config and environment are those of the
first run, and environment.json names the others. A final model is not taken along: it is trained anew from here.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audiosurvey.errors import ArgumentError, UserError, number_of
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import write_json

_ONE_DATA = ("data_hash", "background_hash")
_BESIDE = ("init.json", "parent.json")
"""Files that a run has beside its folds, if its weights came from somewhere."""


def check_merged_run(paths: Sequence[Path], target: Path) -> None:
    """Raises UserError if no run can be made of these at `target`: a file among them, other data, a folder in use."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ArgumentError(f"{{run_dir}}: {target}: already exists; give a new folder", run_dir=...)
    for path in paths:
        if not (path / "config.yaml").is_file():
            raise ArgumentError(
                f"{path}: no run folder, so it has no models; give run folders, or {{output}} in place of {{run_dir}}",
                run_dir=...,
                output=...,
            )
    first = RunFolder(paths[0]).begun_with()
    for path in paths[1:]:
        if any(RunFolder(path).begun_with().get(key) != first.get(key) for key in _ONE_DATA):
            raise UserError(f"{path}: trained on other data than {paths[0]} (data_hash in environment.json)")


def write_merged_run(paths: Sequence[Path], merged: RunResults, target: Path) -> list[str]:
    """Makes the run folder of the `merged` results of these runs; returns notes on what it lacks."""
    target = target.absolute()
    beside = target.with_name(f".{target.name}-{os.getpid()}.tmp")
    beside.mkdir(parents=True)
    try:
        runs = [RunFolder(path) for path in paths]
        lacking = [line for run in runs for line in _copy_folds(run, RunFolder(beside))]
        _copy_rest(runs, RunFolder(beside))
        write_json(beside / "results.json", merged.as_json())
        if target.exists():
            target.rmdir()
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    finals = [run.path.as_posix() for run in runs if run.model.exists()]
    return lacking + ([f"not taken along: the final model of {', '.join(finals)}"] if finals else [])


def _copy_folds(run: RunFolder, target: RunFolder) -> list[str]:
    """Copies the finished folds of a run; returns a line if models of them were not kept."""
    found = run.read_results(remake=False)
    folds = found.done if found else []
    for fold in folds:
        if run.fold(fold).is_dir():
            shutil.copytree(run.fold(fold), target.fold(fold), ignore=shutil.ignore_patterns("*.tmp", "lock"))
    without = [fold for fold in folds if not (run.fold(fold) / "model" / "model.json").is_file()]
    if not without:
        return []
    numbers = ", ".join(map(str, without))
    return [
        f"{run.path}: the models of {number_of(len(without), 'fold')} ({numbers}) were not kept, so they are missing"
    ]


def _copy_rest(runs: Sequence[RunFolder], target: RunFolder) -> None:
    first = runs[0]
    shutil.copy2(first.config_path, target.config_path)
    others: list[dict[str, Any]] = [{"run": run.path.as_posix(), **run.begun_with()} for run in runs[1:]]
    write_json(target.environment_path, first.begun_with() | {"merged": others})
    for name in _BESIDE:
        for run in runs:
            if (run.path / name).is_file() and not (target.path / name).exists():
                shutil.copy2(run.path / name, target.path / name)
    for run in runs:
        if run.pretraining.is_dir() and not target.pretraining.exists():
            shutil.copytree(run.pretraining, target.pretraining)
