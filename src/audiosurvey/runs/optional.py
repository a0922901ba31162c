"""What a training run can do without: pictures and trackers. An error in one is told, and the run goes on."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from audiosurvey.report.console import STDERR

Say = Callable[[str], None]


def warn(line: str) -> None:
    STDERR.print(f"warning: {line}", soft_wrap=True, markup=False)


@contextmanager
def optional(what: str, say: Say = warn) -> Iterator[None]:
    """Turns an error in the block into one line; `what` names what is missing then."""
    try:
        yield
    except Exception as error:
        say(f"{what}: {in_one_line(error)}; the run goes on without it")


def in_one_line(error: BaseException) -> str:
    """`ValueError: reason`; for an error without a message, where it was raised."""
    text = " ".join(str(error).split())[:200]
    if not text:
        frames = traceback.extract_tb(error.__traceback__)
        text = f"in {frames[-1].name}" if frames else "no reason given"
    return f"{type(error).__name__}: {text}"
