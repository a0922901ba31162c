"""Errors that are the user's: one clear line for each, exit status 2, no traceback."""

import errno
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_FLAGS = {"overrides": "--set"}
"""Flags that are not named like their argument."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(ValueError):
    """A mistake of the user's: bad input, a missing file, an impossible request.

    The command line prints each line of `lines` as it stands and exits with status 2. A line names the place
    and the mend: `sounds/: no audio files found; expected one folder a class`.
    """

    status = 2
    """Exit status of the command line."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines

    def at(self, place: str) -> Self:
        """A copy with `place` before its first line."""
        found = copy(self)
        found.lines = _placed(place, self.lines)
        found.args = ("\n".join(found.lines),)
        return found


class ArgumentError(UserError):
    """A bad argument of a function: `{name}` in the text stands for the argument `name`.

    `lines` name it as Python does (`device='cuda'`, `trust=True`), `flag_lines` as the command line does (`--device
    cuda`, `--trust`). For a value of `...` only the name is given.
    """

    def __init__(self, *lines: str, **arguments: object) -> None:
        python, flags = list(lines), list(lines)
        for name, value in arguments.items():
            shown = value if isinstance(value, (bool, int, float)) else str(value)
            text = name if value is ... else f"{name}={shown!r}"
            python = [line.replace(f"{{{name}}}", text) for line in python]
            flags = [line.replace(f"{{{name}}}", _flag(name, value)) for line in flags]
        super().__init__(*python)
        self.flag_lines = tuple(flags)

    def at(self, place: str) -> Self:
        found = super().at(place)
        found.flag_lines = _placed(place, self.flag_lines)
        return found


def _placed(place: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    return (f"{place}: {lines[0]}", *lines[1:])


def _flag(name: str, value: object) -> str:
    flag = _FLAGS.get(name) or "--" + name.removesuffix("_s").replace("_", "-")
    if value is False:
        return flag.replace("--", "--no-")
    if value is ... or value is True:
        return flag
    return f"{flag} {value:g}" if isinstance(value, float) else f"{flag} {value}"


class Interrupted(ArgumentError):
    """A run that was stopped by something other than its user, such as a killed process. What it has written stays,
    and `resume` continues it."""

    status = 1


class StoppedRun(KeyboardInterrupt):
    """Ctrl-C while a run was trained: `folder` is its run folder, in which it can be continued."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder


class DiskFull(Interrupted):
    """A file could not be written for want of space; what was written before stays."""


def is_full(error: OSError) -> bool:
    """Whether the disk is full, or a quota or size limit is reached."""
    return error.errno in _NO_ROOM


def not_written(error: OSError, line: str) -> UserError:
    """The fault to raise where writing failed for this reason."""
    return DiskFull(line) if is_full(error) else UserError(line)


def of_the_system(error: OSError) -> UserError:
    """An error of the operating system in one line: the file, if one is named, and the reason."""
    reason = error.strerror or str(error)
    line = f"{error.filename}: {reason}" if error.filename else reason
    if is_full(error):
        return DiskFull(f"{line}; free some space and run the command again (train: with --resume)")
    return UserError(line)


def some_of(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: the first `most` names, and how many are left."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def number_of(count: int, one: str, several: str | None = None) -> str:
    """`1 clip`, `3 clips`. `several`: the plural, unless it ends in s."""
    return f"{count} {one if count == 1 else several or one + 's'}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a config: `path` is the way to the key (`("model", "blocks", 7)`), `message` what is wrong."""

    path: tuple[str | int, ...]
    message: str

    @property
    def dotted(self) -> str:
        return ".".join(str(part) for part in self.path)
