"""Finished cells: their results, whether these are damaged, and whether models were kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.errors import UserError, some_of
from audiosurvey.runs.results.fold_predictions import FILE
from audiosurvey.runs.results.results import read_results
from audiosurvey.runs.results.run_folder import RESULT
from audiosurvey.runs.results.stored import read_json
from audiosurvey.surveys.folder import Identified, SurveyFolder

_SHOWN = 3
MEND = "'audiosurvey survey' sets it aside, and trains the cell again"


@dataclass(frozen=True)
class DoneCell:
    """The result of a cell."""

    score: float | None
    """Accuracy, or mAP for several labels."""
    seconds: float
    version: str
    """Of audiosurvey."""


def read_done(cell: Path) -> DoneCell:
    """The result in the folder of a cell. Raises UserError if it is damaged."""
    found = read_json(cell / RESULT, MEND)
    try:
        row = found["folds"][0]
        score = row["map" if found["multi_label"] else "accuracy"]
        return DoneCell(score, float(row["seconds"]), str(found.get("version", "")))
    except (KeyError, IndexError, TypeError, ValueError):
        raise UserError(f"{cell / RESULT}: damaged, not the result of a fold; {MEND}") from None


def models_not_kept(survey: SurveyFolder, cells: Sequence[Identified], keep: str) -> list[str]:
    """A line if cells were trained while the survey file kept less than it does now."""
    if keep == "predictions":
        return []
    done = survey.states().done
    without = [cell.id for cell in cells if cell.id in done and not (survey.cells / cell.id / "model").is_dir()]
    if not without:
        return []
    line = f"keep: {keep}: {len(without)} of {len(cells)} cells were trained without it and have no model"
    which = f"those without a folder model, {some_of(sorted(without), _SHOWN)}"
    return [f"{line}; to train them again, remove their folders from {survey.cells.as_posix()} ({which})"]


def damage(cell: Path) -> str | None:
    """What is wrong with the result or the predictions in the folder of a cell that is done; None if nothing is."""
    try:
        folds = read_results(cell / RESULT, MEND).folds
    except UserError as error:
        return error.lines[0].removesuffix(f"; {MEND}")
    if len(folds) != 1:
        return f"{cell / RESULT}: damaged, not the result of a fold"
    clips = folds[0].clips
    predictions = cell / FILE
    try:
        lines = predictions.read_bytes()
    except OSError:
        return f"{predictions.as_posix()}: missing"
    # Names of clips may contain line breaks.
    if lines.count(b"\n") <= clips or not lines.endswith(b"\n"):
        return f"{predictions.as_posix()}: damaged, not the {clips} clips of its result"
    return None
