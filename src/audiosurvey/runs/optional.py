"""Optional parts of a run, such as pictures and trackers: an error in one becomes a warning."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], None]


_log = logging.getLogger(__name__)


def warn(line: str) -> None:
    _log.warning("%s", line)


@contextmanager
def optional(what: str, say: Say = warn) -> Iterator[None]:
    """Turns an error in the block into one line; `what` names what will be missing."""
    try:
        yield
    except Exception as error:
        say(f"{what}: {in_one_line(error)}; the run continues without it")


def in_one_line(error: BaseException) -> str:
    """`ValueError: reason`; for an error without a message, where it was raised."""
    text = " ".join(str(error).split())[:200]
    if not text:
        frames = traceback.extract_tb(error.__traceback__)
        text = f"in {frames[-1].name}" if frames else "no reason given"
    return f"{type(error).__name__}: {text}"
