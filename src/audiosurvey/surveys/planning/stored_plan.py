"""The file plan.json: the cells of a survey, and what was decided when it was planned."""

from collections.abc import Iterator
from typing import Any

from audiosurvey.errors import UserError
from audiosurvey.runs.results.row import ROW
from audiosurvey.runs.results.stored import read_json
from audiosurvey.surveys.cell import PlannedCell
from audiosurvey.surveys.folder import SurveyFolder, read_if_there
from audiosurvey.surveys.search.asked import PlannedSearch

SCHEMA = 1


class DamagedPlan(UserError):
    """plan.json cannot be read. Everything in it can be made again."""


def read_plan(folder: SurveyFolder) -> dict[str, Any]:
    """The plan of a survey. Raises DamagedPlan if it is missing or damaged, UserError if another version wrote it."""
    mend = "run 'audiosurvey survey' with the survey file, which writes it again"
    try:
        found = read_json(folder.plan, mend)
    except UserError as error:
        raise DamagedPlan(*error.lines) from None
    schema = found.get("schema")
    if isinstance(schema, int) and schema != SCHEMA:
        raise UserError(f"{folder.plan}: another version of audiosurvey wrote it (schema {schema}); use that version")
    if schema != SCHEMA or not _is_complete(found):
        raise DamagedPlan(f"{folder.plan}: damaged, or not a plan; {mend}")
    return found


def stored_cells(folder: SurveyFolder) -> list[PlannedCell]:
    """The cells that plan.json names. Raises UserError if it is missing or damaged."""
    return [PlannedCell(**cell) for cell in read_plan(folder)["cells"]]


def stored_search(folder: SurveyFolder) -> PlannedSearch | None:
    """The search that plan.json names. Raises UserError as `stored_cells` does."""
    found = read_plan(folder).get("search")
    return PlannedSearch(**found) if found else None


def known_rows(folder: SurveyFolder, stored: dict[str, Any]) -> dict[str, set[str]]:
    """The rows of the survey in a folder with the ids of their cells: those of its plan, or without one of its runs."""
    found: dict[str, set[str]] = {}
    named = ((cell["row"], [cell["id"]]) for cell in stored["cells"]) if stored else _rows_of_runs(folder)
    for row, ids in named:
        found.setdefault(row, set()).update(ids)
    return found


def _rows_of_runs(folder: SurveyFolder) -> Iterator[tuple[str, list[str]]]:
    for path in sorted(folder.runs.glob(f"*/{ROW}")):
        cells = (read_if_there(path) or {}).get("cells")
        if isinstance(cells, dict):
            yield path.parent.name.rpartition("-seed")[0], [str(one) for one in cells.values()]


def _is_complete(found: dict[str, Any]) -> bool:
    try:
        for cell in found["cells"]:
            PlannedCell(**cell)
        PlannedSearch(**(found.get("search") or {"identity": "", "trials": 0, "splits": 0}))
        return {"device", "precision", "threads"} <= found["conditions"].keys() and isinstance(found["epochs"], dict)
    except (KeyError, TypeError, AttributeError):
        return False
