"""What a user's mistake looks like: one clear line for each fault, exit status 2, no traceback."""

from dataclasses import dataclass


class UserError(Exception):
    """A mistake of the user's: bad input, a missing file, an impossible request.

    The command line prints each line of `lines` as it stands and exits with status 2. A line names the place
    and the mend: `sounds/: no audio files found; expected one folder a class`.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Interrupted(UserError):
    """A run that something else than its user broke off, such as a process that was killed: what it left stays, and it
    goes on with --resume."""


def of_the_system(error: OSError) -> str:
    """What the operating system refused, in one line: the file, where one is named, and why."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a config: `path` is the way to the key (`("model", "blocks", 7)`), `message` what is wrong."""

    path: tuple[str | int, ...]
    message: str

    @property
    def dotted(self) -> str:
        return ".".join(str(part) for part in self.path)
