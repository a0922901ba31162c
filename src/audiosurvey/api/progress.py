"""What is told of the progress of a call, and the log that messages go to."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LOG = logging.getLogger("audiosurvey")
"""What a call has to say: notes at the level INFO, warnings at WARNING."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call has come."""

    task: str
    """What is being done, such as `preparing esc10` or `fold 1 of 5`."""
    done: float
    """Clips, epochs, or whatever the task counts."""
    total: float | None
    """Of how many; None if that is not known."""
    record: Mapping[str, Any] | None = None
    """Of an epoch that has just ended: its losses and scores, as in metrics.jsonl."""


ShowProgress = bool | Callable[[Progress], object]
"""True: bars, on stderr or in the notebook; False: nothing; or a function that is called with each `Progress`."""


def say(line: str) -> None:
    """Logs one line for the user."""
    LOG.info("%s", line)


def warn(line: str) -> None:
    """Logs one line about what is likely a mistake."""
    LOG.warning("%s", line)
