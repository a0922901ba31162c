"""What the package logs, on stderr: notes as they are, and warnings after `warning: `."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


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
