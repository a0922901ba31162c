"""Atomic writes: files are written under a temporary name, then renamed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields `path` + `.tmp`, which replaces `path` when the block succeeds.

    If it fails, `path` stays as it was, and the unfinished file is removed.
    """
    beside = path.with_name(path.name + ".tmp")
    try:
        with naming(path):
            yield beside
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    beside.replace(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put `path` into errors of the operating system that name no file, as those of `write` on a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all.

    Lone surrogates, such as bytes of a file name that are not valid UTF-8, become escapes, as in JSON and YAML.
    """
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
