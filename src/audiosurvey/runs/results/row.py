"""row.json: which row of a survey a run belongs to. Runs of one row differ only in their seed."""

from pathlib import Path
from typing import Any

from audiosurvey.runs.results.stored import StoredPart, parse_part, read_json, write_json

ROW = "row.json"


class SurveyRow(StoredPart):
    """The form of row.json, in the folder of a run that belongs to a survey."""

    name: str
    """Of the row; runs of one name are seeds of one recipe."""
    config: str
    dataset: str | None = None
    """Title of the data set; None if the survey has one only."""
    sweep: dict[str, Any] = {}
    """Values of the swept keys."""
    seed: int
    cells: dict[str, str] = {}
    """Ids of the cells that the run was made from, by fold."""


def read_row(run: Path) -> SurveyRow | None:
    """The row of a run; None if the run belongs to no survey. Raises UserError for a damaged file."""
    path = run / ROW
    if not path.is_file():
        return None
    mend = "run the survey again, which writes it again"
    return parse_part(SurveyRow, read_json(path, mend), path, mend)


def write_row(run: Path, row: SurveyRow) -> None:
    write_json(run / ROW, row.as_json())
