"""From a survey file to its cells: configs are checked, data prepared, and machine-dependent settings resolved.

What is settled (kind of device, number format, epochs of a budget in seconds) is written into plan.json once; every
other process that works on the survey reads it there.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from filelock import FileLock

from audiosurvey.atomic import write_text
from audiosurvey.config.root import Config
from audiosurvey.errors import ArgumentError, UserError, some_of
from audiosurvey.surveys.cell import Cell, Conditions, PlannedCell, make_cells, recipe_hash
from audiosurvey.surveys.folder import SurveyFolder
from audiosurvey.surveys.planning.budget import settle_epochs
from audiosurvey.surveys.planning.grid import Recipe, refuse_same
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.planning.reading import LoadedSurvey
from audiosurvey.surveys.planning.stored_plan import SCHEMA, DamagedPlan, known_rows, read_plan
from audiosurvey.surveys.search.asked import PlannedSearch, searched_name
from audiosurvey.training.devices import check_device, pick_device
from audiosurvey.training.precision import Precision, pick_precision
from audiosurvey.version import __version__

_SHOWN_ROWS = 4


@dataclass(frozen=True)
class PlannedRow:
    """A recipe with its length settled."""

    recipe: Recipe
    config: Config
    folds: tuple[int, ...]


@dataclass(frozen=True)
class SurveyPlan:
    """The cells of a survey, in the order in which they are trained."""

    survey: LoadedSurvey
    folder: SurveyFolder
    conditions: Conditions
    rows: list[PlannedRow]
    cells: list[Cell]
    search: PlannedSearch | None = None
    found: Sequence[PlannedCell] = ()
    """Cells of what this search has found in an earlier call."""
    notes: Sequence[str] = ()
    """Lines on what happened to the folder when it was planned."""

    @property
    def planned(self) -> list[PlannedCell]:
        """Its cells, and those that an earlier call of this search has found."""
        return [*(cell.planned for cell in self.cells), *self.found]

    def row_of(self, cell: Cell) -> PlannedRow:
        return next(row for row in self.rows if row.recipe.name == cell.row)


def make_plan(survey: LoadedSurvey, recipes: Sequence[Recipe], folder: SurveyFolder, opener: Opener) -> SurveyPlan:
    """Prepares the data, and settles what depends on the machine, which is stored in plan.json.

    The cells in plan.json, which the status is read from, stay those of the last call that trained, if there was one.
    Raises UserError for what prevents a config from being trained here, located in the survey file, and for a folder
    that holds another survey.
    """
    with _only_if_planned(folder), FileLock(folder.path / "plan.lock"):
        try:
            stored, damaged = _stored(folder), False
        except DamagedPlan:
            stored, damaged = dict[str, Any](), True
        conditions = _conditions(survey, stored)
        epochs: dict[str, int] = dict(stored.get("epochs", {}))
        rows = [_row(survey, recipe, conditions, epochs, opener) for recipe in recipes]
        cells = _cells(survey, rows, conditions, opener)
        _refuse_same(survey, rows, cells)
        _refuse_other(folder, stored, cells, [recipe.config_name for recipe in recipes])
        _check(rows, cells, folder.states().done, opener)
        search = _search(survey, rows[0], conditions, opener)
        plan = SurveyPlan(survey, folder, conditions, rows, cells, search, _found(stored, rows[0], search))
        if damaged:
            plan = replace(plan, notes=(_keep_damaged(survey, folder),))
        if not stored or not folder.cells.exists():
            _write(plan, epochs, stored)
        elif epochs != stored["epochs"]:
            _store(folder, stored | {"epochs": epochs})
    return plan


@contextmanager
def _only_if_planned(folder: SurveyFolder) -> Iterator[None]:
    """Makes the folder of a survey, and removes it again if the survey was refused."""
    missing = [path for path in (folder.path, *folder.path.parents) if not path.exists()]
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if missing and not folder.plan.exists():
            # Another process may have begun there.
            with suppress(OSError):
                (folder.path / "plan.lock").unlink(missing_ok=True)
                for path in missing:
                    path.rmdir()


def begin(plan: SurveyPlan) -> None:
    """Writes the cells into plan.json, before they are trained."""
    with FileLock(plan.folder.path / "plan.lock"):
        plan.folder.cells.mkdir(exist_ok=True)
        stored = _stored(plan.folder)
        _write(plan, stored.get("epochs", {}), stored)


def extended(plan: SurveyPlan, rows: Sequence[PlannedRow], opener: Opener) -> SurveyPlan:
    """The plan with further rows, which a search has found."""
    every = [*plan.rows, *rows]
    with FileLock(plan.folder.path / "plan.lock"):
        stored = _stored(plan.folder)
        cells = _cells(plan.survey, every, plan.conditions, opener)
        _check(rows, cells, plan.folder.states().done, opener)
        plan = replace(plan, rows=every, cells=cells, found=())
        # Another process may have begun to train a changed survey file in this folder.
        if plan.search is None or (stored.get("search") or {}).get("identity") == plan.search.identity:
            _write(plan, stored.get("epochs", {}), stored)
    return plan


def _search(survey: LoadedSurvey, row: PlannedRow, conditions: Conditions, opener: Opener) -> PlannedSearch | None:
    spec, config = survey.spec.search, row.config
    if spec is None:
        return None
    recipe = recipe_hash(config, conditions, opener.key(config))
    folds = opener.sounds(config.dataset, config.sample_rate).table.folds
    return PlannedSearch.of(spec, recipe, survey.spec.seeds[0], tested=row.folds, folds=folds)


def _found(stored: dict[str, Any], row: PlannedRow, search: PlannedSearch | None) -> list[PlannedCell]:
    """What the same search has found before."""
    if search is None or (stored.get("search") or {}).get("identity") != search.identity:
        return []
    name = searched_name(row.recipe.name)
    return [PlannedCell(**cell) for cell in stored["cells"] if cell["row"] == name]


def _cells(survey: LoadedSurvey, rows: Sequence[PlannedRow], conditions: Conditions, opener: Opener) -> list[Cell]:
    seeds = survey.spec.seeds
    by_row = [
        make_cells(row.recipe.name, row.config, seeds, row.folds, conditions, opener.key(row.config)) for row in rows
    ]
    # Seed by seed, so that all configs can be compared early.
    return [
        cell
        for number in range(len(seeds))
        for row, cells in zip(rows, by_row, strict=True)
        for cell in cells[number * len(row.folds) : (number + 1) * len(row.folds)]
    ]


def _write(plan: SurveyPlan, epochs: dict[str, int], stored: dict[str, Any]) -> None:
    """Writes plan.json and the copy of the survey file, unless they are there."""
    content = {
        "schema": SCHEMA,
        "version": __version__,
        "survey_file": plan.survey.origin.file.absolute().as_posix(),
        "directory": plan.survey.origin.directory.absolute().as_posix(),
        "folder": plan.folder.path.absolute().as_posix(),
        "overrides": list(plan.rows[0].recipe.overrides),
        "conditions": asdict(plan.conditions),
        "epochs": epochs,
        "search": asdict(plan.search) if plan.search else None,
        "cells": [asdict(cell) for cell in plan.planned],
    }
    if content != stored:
        _store(plan.folder, content)
    spec, text = plan.folder.spec, plan.survey.text
    if not spec.exists() or spec.read_bytes() != text.encode():
        write_text(spec, text)


def _store(folder: SurveyFolder, content: dict[str, Any]) -> None:
    write_text(folder.plan, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _refuse_same(survey: LoadedSurvey, rows: Sequence[PlannedRow], cells: Sequence[Cell]) -> None:
    recipes = {row.recipe.name: row.recipe for row in rows}
    seen: dict[str, Cell] = {}
    for cell in cells:
        other = seen.setdefault(cell.id, cell)
        if other is not cell:
            refuse_same(survey, recipes[other.row], recipes[cell.row], "the same results")


def _refuse_other(folder: SurveyFolder, stored: dict[str, Any], cells: Sequence[Cell], configs: Sequence[str]) -> None:
    """Raises UserError if the folder holds the work of a survey that has no config, row or cell in common."""
    rows = known_rows(folder, stored)
    if not rows or folder.empty:
        return
    ids, ours = {cell.id for cell in cells}, {cell.row for cell in cells} | set(configs)
    # A swept row, or one on several data sets, begins with the name of its config.
    beginnings = tuple(f"{name}{mark}" for name in configs for mark in "_@")
    if any(ids & known or row in ours or row.startswith(beginnings) for row, known in rows.items()):
        return
    shown = some_of(list(rows), _SHOWN_ROWS)
    raise ArgumentError(f"{folder.path}: holds another survey (rows {shown}); give another {{run_dir}}", run_dir=...)


def _stored(folder: SurveyFolder) -> dict[str, Any]:
    if not folder.plan.exists():
        return {}
    return read_plan(folder)


def _keep_damaged(survey: LoadedSurvey, folder: SurveyFolder) -> str:
    """Puts a damaged plan.json out of the way, and says what is lost with it."""
    kept = folder.plan.replace(folder.plan.with_name(folder.plan.name + ".damaged"))
    line = f"{folder.plan}: damaged; kept as {kept.name} and written again"
    if survey.spec.budget is not None and survey.spec.budget.seconds is not None:
        line += "; the budget in seconds was measured again, and cells with another number of epochs are trained again"
    return line


def _conditions(survey: LoadedSurvey, stored: dict[str, Any]) -> Conditions:
    spec = survey.spec
    before = stored.get("conditions")
    if before and spec.device in ("auto", before["device"]):
        device = before["device"]
    else:
        check_device(spec.device)
        device = pick_device(spec.device).type
    check_device(device)
    precision: Precision = spec.precision
    if precision == "auto":
        same = before and before["device"] == device
        precision = before["precision"] if before and same else pick_precision("auto", pick_device(device))
    return Conditions(device, precision, spec.threads)


def _row(
    survey: LoadedSurvey, recipe: Recipe, conditions: Conditions, epochs: dict[str, int], opener: Opener
) -> PlannedRow:
    """A recipe, checked on the data. `epochs`: those of budgets in seconds, which this may add to."""
    config, spec = recipe.config, survey.spec
    recipe.loaded.refuse_obstacles()
    recipe.loaded.refuse_device(conditions.device)
    opener.weights(config)
    table = opener.sounds(config.dataset, config.sample_rate).table
    folds = table.folds if spec.folds == "all" else sorted(spec.folds)
    if missing := sorted(set(folds) - set(table.folds)):
        there = ", ".join(map(str, table.folds))
        survey.refuse(("folds",), [f"{recipe.name}: no fold {missing[0]}; its data set has {there}"])
    if spec.budget is not None:
        config = _with_epochs(config, _epochs(survey, recipe, folds, conditions, epochs, opener))
    return PlannedRow(recipe, config, tuple(folds))


def _epochs(
    survey: LoadedSurvey,
    recipe: Recipe,
    folds: Sequence[int],
    conditions: Conditions,
    known: dict[str, int],
    opener: Opener,
) -> int:
    """Epochs of the budget. Those that were measured are kept in `known`, and never measured again."""
    budget, config = survey.spec.budget, recipe.config
    assert budget is not None, "there is a budget"
    if budget.epochs is not None:
        return budget.epochs
    length = f"{budget.steps} steps" if budget.steps is not None else f"{budget.seconds} s"
    key = f"{recipe_hash(config, conditions, opener.key(config))}, {length}"
    if key not in known:
        known[key] = settle_epochs(budget, opener.experiment(config, folds), conditions)
    return known[key]


def _check(rows: Sequence[PlannedRow], cells: Sequence[Cell], done: set[str], opener: Opener) -> None:
    """Checks the recipes that have cells to train on their data."""
    pending = {cell.row for cell in cells if cell.id not in done}
    for row in rows:
        if row.recipe.name in pending:
            try:
                opener.experiment(row.config, row.folds)
            except UserError as error:
                raise UserError(*(f"{row.recipe.name}: {line}" for line in error.lines)) from None


def _with_epochs(config: Config, epochs: int) -> Config:
    """The config with a fixed number of epochs and no patience, which would end some trainings earlier."""
    return config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs, "patience": None})})
