"""The input and output of a report, checked before anything is loaded."""

from dataclasses import dataclass
from pathlib import Path

from audiosurvey.comparison.sources import is_survey
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.targets import check_target


@dataclass(frozen=True)
class ReportOptions:
    """The options of a page."""

    audio: bool = True
    """With sounds, on the page of a run."""
    runs: bool = False
    """Also write the pages of a survey's runs, without sounds."""
    force: bool = False
    """Replace an existing file."""
    folds: tuple[int, ...] = ()
    """Compare the models of a survey on these only; empty: on all."""


def check_report(target: Path, output: Path | None, options: ReportOptions) -> Path:
    """Where the page of `target` goes. Raises UserError if there is no such folder, if `output` must not be written, or
    if the options do not apply."""
    path = _path(target, output, force=options.force)
    if options.folds and not is_survey(target):
        raise ArgumentError("{folds}: is for surveys; the page of a run shows all of its folds", folds=...)
    return path


def _path(target: Path, output: Path | None, *, force: bool) -> Path:
    if not target.is_dir():
        problem = "is a file" if target.exists() else "no such folder"
        raise UserError(f"{target}: {problem}; give a run folder or a survey folder")
    path = output or target / "report.html"
    if output is not None and (survey := _survey_around(path, target)) is not None:
        raise ArgumentError(f"{{output}}: lies in the survey folder {survey}; give a path outside of it", output=output)
    check_target("output", path, force=force or output is None, own_folder=target if output is None else None)
    return path


def _survey_around(path: Path, target: Path) -> Path | None:
    """The survey folder that a file lies in. A survey.yaml alone may be anywhere, unless its folder is the `target`."""
    folder = path.absolute().parent.resolve()
    for place in (folder, *folder.parents):
        whole = (place / "survey.yaml").is_file() and (place / "plan.json").is_file()
        if whole or (place == target.resolve() and is_survey(place)):
            return place
    return None
