"""Run folders made from the cells of a survey: one for each recipe and seed, as `train` would leave it.

Their files are hard links to those of the cells, or copies where the file system has none. They can be removed and made
again at any time.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from filelock import FileLock

from audiosurvey.atomic import write_text
from audiosurvey.errors import UserError
from audiosurvey.runs.results.fold_predictions import FILE
from audiosurvey.runs.results.row import ROW, SurveyRow, write_row
from audiosurvey.runs.results.run_folder import RESULT, RunFolder
from audiosurvey.runs.results.stored import write_json
from audiosurvey.surveys.cell import Cell, PlannedCell
from audiosurvey.surveys.folder import SurveyFolder, files_below, link, link_tree, read_if_there
from audiosurvey.surveys.planning.plan import SurveyPlan
from audiosurvey.surveys.planning.stored_plan import stored_cells
from audiosurvey.surveys.replaced import Say, bring_back_run, holds, set_aside_run

_NO_ROW, _CHANGED = "no longer a row of the survey", "made from another config or data"
"""Why a run is set aside."""


def run_name(row: str, seed: int) -> str:
    return f"{row}-seed{seed}"


Runs = dict[str, dict[str, str]]
"""The ids of the cells of each run, by name and fold."""


def derive_runs(plan: SurveyPlan, say: Say, *, only: Cell | None = None) -> None:
    """Brings the run folders up to date with the cells that are done; with `only`, the one that a cell belongs to.
    `say` gets a line on what becomes of each final model.

    If another process has begun to train a changed survey file in the same folder, the runs are those of that file.
    """
    plan.folder.runs.mkdir(parents=True, exist_ok=True)
    with FileLock(plan.folder.path / "runs.lock"):
        planned = _stored_runs(plan)
        for (row, seed), members in _done_by_run(plan, planned, only).items():
            name = run_name(row, seed)
            _derive(plan, plan.folder.runs / name, members, planned[name], say)
        if only is None:
            _set_aside_others(plan.folder, planned, say)


def _done_by_run(plan: SurveyPlan, planned: Runs, only: Cell | None) -> dict[tuple[str, int], list[Cell]]:
    """The cells that are done and `planned`, by row and seed; with `only`, those of its run."""
    cells = [
        cell
        for cell in plan.cells
        if only is None or (cell.row, cell.seed) == (only.row, only.seed)
        if planned.get(run_name(cell.row, cell.seed), {}).get(str(cell.fold)) == cell.id
    ]
    done = plan.folder.states().done if only is None else {cell.id for cell in cells if plan.folder.cell(cell).done}
    groups: dict[tuple[str, int], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.id in done:
            groups[cell.row, cell.seed].append(cell)
    return groups


def set_aside_others(plan: SurveyPlan, say: Say) -> None:
    """Sets aside runs that are no longer those of the survey, before it trains and they are compared with new ones."""
    if plan.folder.runs.is_dir():
        with FileLock(plan.folder.path / "runs.lock"):
            _set_aside_others(plan.folder, _stored_runs(plan), say)


def _derive(plan: SurveyPlan, path: Path, cells: Sequence[Cell], planned: dict[str, str], say: Say) -> None:
    """Makes a run of the `cells` that are done, of those that are `planned` for it (id by fold)."""
    run, recipe = RunFolder(path), plan.row_of(cells[0]).recipe
    row = SurveyRow(
        name=recipe.model_name,
        config=recipe.config_name,
        dataset=recipe.dataset,
        sweep=recipe.sweep,
        seed=cells[0].seed,
        cells={str(cell.fold): cell.id for cell in sorted(cells, key=lambda cell: cell.fold)},
    )
    before = read_if_there(path / ROW) or {}
    whole = all(file.exists() for file in (run.results_path, run.config_path, run.environment_path))
    if before == row.as_json() and whole and holds(plan.folder, run, row.cells):
        return
    if path.exists() and _of_others(before, planned):
        set_aside_run(plan.folder, path, _CHANGED, say)
    if not path.exists():
        bring_back_run(plan.folder, path, row.cells, say)
    for cell in cells:
        source, target = plan.folder.cell(cell), run.fold(cell.fold)
        source.tidy(keep_checkpoint=plan.survey.spec.keep == "all")
        for name in (FILE, "metrics.jsonl", RESULT):
            if (source.path / name).exists():
                link(source.path / name, target / name)
        for folder in ("model", "checkpoint"):
            link_tree(source.path / folder, target / folder)
        if any(True for _ in files_below(source.pretraining)):
            link_tree(source.pretraining, run.pretraining)
    first = plan.folder.cell(cells[0])
    link(first.environment_path, run.environment_path)
    write_text(run.config_path, first.config_path.read_text(encoding="utf-8"))
    run.results_path.unlink(missing_ok=True)
    results = run.read_results(remake=False)
    assert results is not None, "a fold is done"
    write_json(run.results_path, results.as_json())
    write_row(path, row)


def leaving_models(plan: SurveyPlan) -> list[str]:
    """A line for each run with a final model that training will set aside."""
    if not plan.folder.runs.is_dir():
        return []
    end = "training moves it with its final model to replaced"
    others = _others(plan.folder, _runs_of(plan.planned))
    return [f"{path.as_posix()}: {why}; {end}" for path, why in others.items() if RunFolder(path).model.exists()]


def _set_aside_others(folder: SurveyFolder, planned: Runs, say: Say) -> None:
    for path, reason in _others(folder, planned).items():
        set_aside_run(folder, path, reason, say)


def _stored_runs(plan: SurveyPlan) -> Runs:
    """The runs of the survey as plan.json names them now."""
    try:
        stamp = plan.folder.plan.stat()
        return _runs_in(plan.folder.path, (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))
    except (OSError, UserError):
        return _runs_of(plan.planned)


@lru_cache(maxsize=1)
def _runs_in(survey: Path, stamp: tuple[int, ...]) -> Runs:
    """`stamp`: changes with plan.json, which is read after every cell."""
    return _runs_of(stored_cells(SurveyFolder(survey)))


def _runs_of(cells: Sequence[PlannedCell]) -> Runs:
    found: Runs = defaultdict(dict)
    for cell in cells:
        found[run_name(cell.row, cell.seed)][str(cell.fold)] = cell.id
    return dict(found)


def _others(folder: SurveyFolder, planned: Runs) -> dict[Path, str]:
    """Runs of rows that the survey no longer has, and runs of cells that it no longer has, with the reason."""
    others: dict[Path, str] = {}
    for path in sorted(folder.runs.iterdir()):
        row = read_if_there(path / ROW) or {}
        if row and path.name not in planned:
            others[path] = _NO_ROW
        elif row and _of_others(row, planned[path.name]):
            others[path] = _CHANGED
    return others


def _of_others(before: dict[str, object], cells: dict[str, str]) -> bool:
    """Whether a run folder holds cells that are none of these (id by fold): config or folds have changed since."""
    known = before.get("cells")
    if not isinstance(known, dict):
        return True
    return not known.items() <= cells.items()
