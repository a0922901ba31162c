"""Whether a file may be written: nothing that matters is replaced by mistake.

The files that a command writes all go through `check_target` before any work is done.
"""

import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from audiosurvey.errors import ArgumentError, UserError

_SURVEY = ("plan.json", "survey.yaml")
_BESIDE = (".tmp", ".journal", ".journal.lock")
"""Names that writers use beside a target while they work."""


def check_target(
    argument: str | None,
    path: Path,
    *,
    inputs: Iterable[Path] = (),
    force: bool = False,
    own_folder: Path | None = None,
) -> None:
    """Raise UserError if `path` must not be written. `argument`: the name of the argument that gave it, if it has one.

    It is refused if it is a folder, a device or anything else but a plain file, if its folder is missing, if it is one
    of `inputs` (also by another name), or if it lies in a run folder or model folder, other than `own_folder`. Any
    other existing file is replaced only with `force`.
    """
    if path.is_dir():
        raise _fault(argument, path, "is a folder; give the path of a file")
    if not path.absolute().parent.is_dir():
        raise _fault(argument, path, f"the folder {path.parent} is missing")
    inputs = list(inputs)
    for place in (path, *(path.with_name(path.name + ending) for ending in _BESIDE)):
        if fault := _kind_fault(place, "" if place == path else f"{place} beside it "):
            raise _fault(argument, path, fault)
        if is_among(place, inputs):
            raise _fault(argument, path, "is an input of this command and would be overwritten; give another path")
    if holder := holder_of(path, own_folder):
        raise _fault(argument, path, f"lies in {holder[1]} {holder[0]}; give a path outside of it")
    if path.exists() and not force:
        raise _fault(argument, path, "already exists; give another name, or {force} to overwrite it", force=True)


def check_target_folder(argument: str, path: Path) -> None:
    """Raise UserError if new files must not be written into `path`: a file, or part of a run or model folder."""
    if any(place.exists() and not place.is_dir() for place in (path, *path.parents)):
        raise _fault(argument, path, "is a file, or lies in one; give a folder to write into")
    if holder := holder_of(path / "file", None):
        raise _fault(argument, path, f"lies in {holder[1]} {holder[0]}; give a path outside of it")


def is_among(path: Path, inputs: Iterable[Path]) -> bool:
    """Whether `path` is one of these files, also through links of either kind."""
    try:
        found = path.stat()
    except OSError:
        return False
    for one in inputs:
        with suppress(OSError):
            other = one.stat()
            if (found.st_dev, found.st_ino) == (other.st_dev, other.st_ino):
                return True
    return False


def holder_of(path: Path, own_folder: Path | None) -> tuple[Path, str] | None:
    """The run, model or survey folder that `path` lies in, and what it is; None outside of any, and directly in
    `own_folder`. Directly in a survey folder, only its own files are taken."""
    folder = path.absolute().parent.resolve()
    if own_folder is not None and folder == own_folder.resolve():
        return None
    for place in (folder, *folder.parents):
        if (place / "model.json").is_file():
            return place, "the model folder"
        if (place / "config.yaml").is_file() and (place / "environment.json").is_file():
            return place, "the run folder"
        if all((place / name).is_file() for name in _SURVEY) and (folder != place or path.name in _SURVEY):
            return place, "the survey folder"
    return None


def _kind_fault(path: Path, name: str) -> str | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be written ({error.strerror or error}); give another path"
    if stat.S_ISREG(mode):
        return None
    kind = "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "not a plain file"
    return f"{name}is {kind}; give the path of a plain file"


def _fault(argument: str | None, path: Path, text: str, **more: object) -> UserError:
    if argument is None:
        return ArgumentError(f"{path}: {text}", **more)
    return ArgumentError(f"{{{argument}}}: {text}", **{argument: path}, **more)
