"""Runs that no longer belong to a survey are kept in its folder `replaced`, and moved back when they do again."""

from collections.abc import Callable, Iterator, Mapping
from filecmp import cmp
from pathlib import Path

from audiosurvey.runs.results.fold_predictions import FILE
from audiosurvey.runs.results.row import ROW
from audiosurvey.runs.results.run_folder import RESULT, RunFolder
from audiosurvey.surveys.folder import SurveyFolder, read_if_there

Say = Callable[[str], object]


def set_aside_run(survey: SurveyFolder, path: Path, reason: str, say: Say) -> None:
    """Moves a run to `replaced`. A run that holds a final model is named in a line."""
    with_model = RunFolder(path).model.exists()
    target = survey.set_aside(path)
    if with_model:
        say(f"{path.as_posix()}: {reason}; moved with its final model to {target.as_posix()}")


def bring_back_run(survey: SurveyFolder, path: Path, cells: Mapping[str, str], say: Say) -> None:
    """Moves a run of the row and seed at `path` back from `replaced`, if it was made from these cells (id by fold) as
    they are now; one with a final model, if there are several."""
    known = [one for one in _set_aside(survey, path.name) if _was_made_from(survey, one, cells)]
    if not known:
        return
    found = max(known, key=lambda one: RunFolder(one).model.exists())
    found.rename(path)
    if RunFolder(path).model.exists():
        say(f"{path.as_posix()}: moved back with its final model from {found.as_posix()}")


def holds(survey: SurveyFolder, run: RunFolder, cells: Mapping[str, str]) -> bool:
    """Whether a run has the present results and predictions of these cells (id by fold): a cell may have been trained
    again, and files of a run that was copied may be damaged."""
    for fold, cell in cells.items():
        for name in (RESULT, FILE):
            ours, theirs = run.fold(int(fold)) / name, survey.cells / cell / name
            if not _is_same(ours, theirs):
                return False
    return True


def _is_same(ours: Path, theirs: Path) -> bool:
    try:
        return ours.samefile(theirs) or cmp(ours, theirs, shallow=False)
    except FileNotFoundError:
        return False


def _set_aside(survey: SurveyFolder, name: str) -> Iterator[Path]:
    for path in sorted(survey.replaced.glob("*")):
        run, _, number = path.name.rpartition("-")
        if run == name and number.isdecimal() and path.is_dir():
            yield path


def _was_made_from(survey: SurveyFolder, path: Path, cells: Mapping[str, str]) -> bool:
    before = (read_if_there(path / ROW) or {}).get("cells")
    if not isinstance(before, dict) or not before:
        return False
    return before.items() <= cells.items() and holds(survey, RunFolder(path), before)
