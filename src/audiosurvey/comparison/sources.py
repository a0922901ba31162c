"""From paths to rows of a comparison: which runs and files belong to one row, as seeds of one recipe.

A path is a survey folder, a run folder, a folder of run folders, or a folder with predictions of another program.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiosurvey.errors import UserError
from audiosurvey.runs.results.fold_predictions import FILE
from audiosurvey.runs.results.recipes import without_places
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.row import SurveyRow, read_row
from audiosurvey.runs.results.run_folder import RESULT, RunFolder

_WANTED = f"give survey folders, run folders, or folders with {FILE}"


@dataclass(frozen=True)
class SeedSource:
    """Where the predictions of one seed come from."""

    path: Path
    """The run folder, or the folder of the files."""
    files: tuple[Path, ...]
    """Each predictions.csv."""
    seed: int | None = None
    results: RunResults | None = None
    """None for predictions of another program."""
    row: SurveyRow | None = None


@dataclass(frozen=True)
class RowSource:
    """One row: seeds of one recipe on one data set."""

    name: str
    """Rows from different folders may have the same."""
    seeds: tuple[SeedSource, ...]
    folder: Path
    """The folder, or survey, that the row lies in; absolute."""
    survey: Path | None = None
    dataset: str | None = None
    """Title; None if the files do not tell."""
    sweep: dict[str, Any] = field(default_factory=dict)
    config: str | None = None

    @property
    def path(self) -> Path:
        return self.seeds[0].path


def find_rows(paths: Sequence[Path]) -> list[RowSource]:
    """The rows in these paths.

    Raises UserError for a path that is missing, given twice or holds nothing to compare, or for a damaged file.
    """
    rows: list[RowSource] = []
    loose: list[SeedSource] = []
    for path in paths:
        if path.is_file():
            raise UserError(f"{path.as_posix()}: is a file; give its folder")
        if not path.is_dir():
            raise UserError(f"{path.as_posix()}: no such folder; {_WANTED}")
        if is_survey(path):
            rows += _rows_of_survey(path, list(_runs_in(path / "runs")))
        elif _is_run(path):
            loose.append(_run_source(path))
        elif runs := list(_runs_in(path)):
            loose += runs
        else:
            rows.append(_foreign_row(path))
    found = [*_rows_of_runs(loose), *rows]
    _refuse_twice(found)
    return found


def _refuse_twice(rows: Sequence[RowSource]) -> None:
    """Raises UserError for a run that is in two of the paths, such as a survey and its folder of runs."""
    seen: set[Path] = set()
    for path in (seed.path for row in rows for seed in row.seeds):
        if (place := path.resolve()) in seen:
            raise UserError(f"{path.as_posix()}: given twice; list each model once")
        seen.add(place)


def is_survey(path: Path) -> bool:
    """Whether this is the folder of a survey, not of a run."""
    # A survey file may lie beside ordinary runs.
    return (path / "plan.json").is_file()


def _is_run(path: Path) -> bool:
    # A model's folder has a config.yaml too.
    begun = (path / "environment.json").is_file() or (path / "results.json").is_file()
    return begun and (path / "config.yaml").is_file()


def _runs_in(folder: Path) -> Iterator[SeedSource]:
    """The runs directly in a folder in which a fold has ended."""
    for path in sorted(folder.glob("*/")):
        if _is_run(path) and ((path / "results.json").is_file() or any(path.glob(f"fold-*/{RESULT}"))):
            yield _run_source(path)


def _run_source(path: Path) -> SeedSource:
    run = RunFolder(path)
    results = run.read_results(remake=False)
    if results is None or not results.folds:
        raise UserError(f"{path.as_posix()}: no finished fold; train one, or leave the run out")
    files = tuple(run.fold(fold) / FILE for fold in results.done)
    return SeedSource(path, files, results.seed, results, read_row(path))


def _rows_of_survey(path: Path, runs: Sequence[SeedSource]) -> list[RowSource]:
    groups: dict[tuple[str, str | None], list[SeedSource]] = {}
    for run in runs:
        if run.row is None:
            raise UserError(f"{run.path.as_posix()}: no row.json; run the survey again, which writes it again")
        groups.setdefault((run.row.name, _title(run)), []).append(run)
    if not groups:
        raise UserError(f"{path.as_posix()}: no run with a finished fold; run the survey first")
    return [_row(name, members, path) for (name, _), members in groups.items()]


def _rows_of_runs(runs: Sequence[SeedSource]) -> list[RowSource]:
    """Runs of one config that differ only in their seed are one row; the same seed twice makes rows of its own."""
    groups: dict[str, list[SeedSource]] = {}
    for run in runs:
        groups.setdefault(_recipe(run), []).append(run)
    rows: list[RowSource] = []
    for members in groups.values():
        seeds = [member.seed for member in members]
        apart = [[member] for member in members] if len(set(seeds)) < len(seeds) else [members]
        rows += [_row(_common_name(one), one) for one in apart]
    return rows


def _row(name: str, seeds: Sequence[SeedSource], survey: Path | None = None, folder: Path | None = None) -> RowSource:
    """`folder`: where the row lies, if it is neither the survey nor the folder of its first seed."""
    ordered = sorted(seeds, key=lambda one: (one.seed is None, one.seed or 0, one.path))
    row = ordered[0].row
    return RowSource(
        name,
        tuple(ordered),
        (survey or folder or ordered[0].path.resolve().parent).resolve(),
        survey,
        _title(ordered[0]),
        dict(row.sweep) if row else {},
        row.config if row else None,
    )


def _title(run: SeedSource) -> str | None:
    if run.row is not None and run.row.dataset is not None:
        return run.row.dataset
    return run.results.dataset.title if run.results else None


def _recipe(run: SeedSource) -> str:
    """The config of a run without its seed, paths and speed, as text."""
    assert run.results is not None
    if not run.results.config:
        return run.path.as_posix()
    return json.dumps(without_places(run.results.config) | {"data": run.results.dataset.hash}, sort_keys=True)


def _common_name(runs: Sequence[SeedSource]) -> str:
    """The name of the folder; of several seeds what the names have in common, without `-seed` at the end."""
    names = [run.path.resolve().name for run in runs]
    if len(names) == 1:
        return names[0]
    shared = names[0]
    while not all(name.startswith(shared) for name in names):
        shared = shared[:-1]
    stem = shared.rstrip("0123456789").rstrip("-_. ")
    for ending in ("seed", "s"):
        if stem.lower().endswith((f"-{ending}", f"_{ending}")):
            stem = stem[: -len(ending) - 1]
    return stem or names[0]


def _foreign_row(path: Path) -> RowSource:
    """Files of another program: `predictions.csv`, one in each `fold-N`, or one of these in a sub-folder a seed."""
    place = path.resolve()
    files = _files_of_seed(path)
    if files:
        return _row(place.name, [SeedSource(path, files)])
    folders = sorted(folder for folder in path.glob("*/") if not (folder / "model.json").exists())
    found = [(folder, _files_of_seed(folder)) for folder in folders]
    seeds = [SeedSource(folder, files, _number(folder.name)) for folder, files in found if files]
    if not seeds:
        raise UserError(f"{path.as_posix()}: nothing to compare in it; {_WANTED}")
    return _row(place.name, seeds, folder=place.parent)


def _files_of_seed(folder: Path) -> tuple[Path, ...]:
    own = folder / FILE
    return (own,) if own.is_file() else tuple(sorted(folder.glob(f"fold-*/{FILE}")))


def _number(name: str) -> int | None:
    digits = name[len(name.rstrip("0123456789")) :]
    return int(digits) if digits else None
