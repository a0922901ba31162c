"""Which survey is meant: a survey file with the default folder, or a survey folder with its own copy of the file."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.surveys.folder import SurveyFolder, read_if_there


@dataclass(frozen=True)
class Origin:
    """Where the configs of a survey file are looked for."""

    file: Path
    """The survey file: configs may lie beside it."""
    directory: Path = Path()
    """The working directory in which it was given: configs are looked for here first."""

    def find(self, config: str) -> Path | None:
        """The file of a config; None if it is not there, as for a preset."""
        places = (self.directory / config, self.file.parent / config)
        return next((path for path in places if path.is_file()), None)


@dataclass(frozen=True)
class SurveyPlace:
    """A survey file and the folder of its cells."""

    file: Path
    folder: SurveyFolder

    @property
    def origin(self) -> Origin:
        """Of the file that the copy in a survey folder was made from, if it is known; else of the file itself."""
        stored = self._stored
        if "survey_file" not in stored:
            return Origin(self.file)
        file, directory = (Path(str(stored.get(name, ""))) for name in ("survey_file", "directory"))
        # A project that was moved or copied is worked on where it is now.
        here = self._moved(file)
        if here.is_file():
            return Origin(here, self._moved(directory))
        return Origin(file, directory if directory.is_dir() else Path())

    @property
    def overrides(self) -> list[str]:
        """Those that the survey in a folder was begun with, as `KEY=VALUE`."""
        found = self._stored.get("overrides")
        return [str(word) for word in found] if isinstance(found, list) else []

    @cached_property
    def _stored(self) -> dict[str, object]:
        """plan.json, if the file is the copy in a survey folder; else empty."""
        there = SurveyFolder(self.file.parent)
        return (read_if_there(there.plan) if self.file.name == there.spec.name else None) or {}

    def _moved(self, path: Path) -> Path:
        """Where a path is now, if it was moved together with the survey folder."""
        now = self.file.parent.absolute()
        before = Path(str(self._stored.get("folder", now)))
        return Path(os.path.normpath(now / os.path.relpath(path, before)))


def find_survey(path: Path, run_dir: Path | None = None) -> SurveyPlace:
    """The survey at `path`: a survey file, whose folder is `run_dir` or surveys/NAME; or a survey folder, or the
    survey.yaml in it, whose folder is `run_dir` or that one.

    Raises UserError if `path` is a folder without a survey, or if the folder of the survey contains something else.
    """
    if path.is_dir():
        own = SurveyFolder(path)
        if not _is_survey(own):
            raise UserError(f"{path}: is not a survey folder (no plan.json in it); give a survey file")
    else:
        own = SurveyFolder(path.parent)
        if path.name != own.spec.name or not _is_survey(own):
            return SurveyPlace(path, _usable(SurveyFolder(run_dir or Path("surveys") / path.stem)))
    return SurveyPlace(own.spec, _usable(SurveyFolder(run_dir)) if run_dir else own)


def read_survey_file(path: Path) -> bytes:
    """The text of a survey file. Raises UserError if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected a survey file (see docs/survey.md)") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; expected a survey file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def survey_folder(path: Path) -> SurveyFolder:
    """The folder of the survey at `path` (a survey folder or a survey file). Raises UserError if nothing is in it."""
    folder = SurveyFolder(path)
    if path.is_file():
        folder = find_survey(path).folder
    if not folder.plan.is_file():
        raise UserError(f"{folder.path}: is not a survey folder (no plan.json in it); 'audiosurvey survey' makes one")
    return folder


def _is_survey(folder: SurveyFolder) -> bool:
    """Also without its plan.json, which can be written again."""
    return folder.plan.is_file() or (folder.spec.is_file() and folder.cells.is_dir())


def _usable(folder: SurveyFolder) -> SurveyFolder:
    path = folder.path
    if path.exists() and not path.is_dir():
        raise ArgumentError(f"{path}: is a file; give another {{run_dir}}", run_dir=...)
    ours = (folder.plan, path / "plan.lock")
    if path.is_dir() and any(path.iterdir()) and not any(file.exists() for file in ours):
        raise ArgumentError(f"{path}: contains something other than a survey; give another {{run_dir}}", run_dir=...)
    return folder
