"""What a store of the cache was made for: `KEY.use.json` beside it, with the data set that used it last.

A store is named by the contents of its sounds; this file tells people which data set that is. Nothing depends on it.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from audiosurvey.atomic import write_text

ENDING = ".use.json"


@dataclass(frozen=True, slots=True)
class StoreUse:
    """The last use of a store."""

    title: str
    """Of the data set."""
    root: str
    """Its folder, as an absolute path."""
    last: str
    """The day, such as 2025-03-31."""


def record_use(store: Path, title: str, root: Path) -> None:
    """Writes who uses a store today, unless that is known. A cache that cannot be written is left as it is."""
    use = StoreUse(title, root.absolute().as_posix(), datetime.now(UTC).date().isoformat())
    if read_use(store) != use:
        with suppress(OSError):
            write_text(_file(store), json.dumps(asdict(use), ensure_ascii=False) + "\n")


def read_use(store: Path) -> StoreUse | None:
    """The last use of a store; None if it is not known."""
    try:
        return StoreUse(**json.loads(_file(store).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _file(store: Path) -> Path:
    return store.with_name(store.name + ENDING)
