"""What is said on stderr: what the package logs (warnings after `warning: `), and how to continue after Ctrl-C."""

import logging
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_CONTINUING = ("download", "prepare", "survey", "robustness", "reproduce", "similar", "suggest")
"""Commands that go on where they stopped when they are given again."""


class StderrHandler(logging.Handler):
    """Prints above the bars, if there are any."""

    def emit(self, record: logging.LogRecord) -> None:
        # Most commands log nothing, and need not wait for this.
        from audiosurvey.reporting.console import STDERR

        line = record.getMessage()
        if record.levelno >= logging.WARNING:
            line = f"warning: {line}"
        STDERR.print(line, soft_wrap=True, markup=False)


@contextmanager
def printed_messages() -> Iterator[None]:
    """Prints what the package logs during the block."""
    log, handler = logging.getLogger("audiosurvey"), StderrHandler()
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before


def command_line(words: Sequence[object]) -> str:
    """`audiosurvey` with these words, quoted for the shell."""
    whole = ["audiosurvey", *map(str, words)]
    return subprocess.list2cmdline(whole) if os.name == "nt" else shlex.join(whole)


def interrupted_line(words: Sequence[str]) -> str:
    """What is said after Ctrl-C in the command of these words."""
    if words and words[0] in _CONTINUING:
        return f"interrupted; this continues: {command_line(words)}"
    return "interrupted"
