"""Files that are whole or not there: written beside their name, then renamed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives the name to write to, `path` with `.tmp` behind it; it takes the place of `path` when the block ends well.

    Where it does not, what stood at `path` stands there still, and the unfinished file is removed.
    """
    beside = path.with_name(path.name + ".tmp")
    try:
        yield beside
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    beside.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all.

    Lone surrogates, such as bytes of a file name that are not valid UTF-8, become `\\udc..`, as JSON and YAML write them.
    """
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
