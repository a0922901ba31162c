"""What a sound file contains, as a short hash: reading every byte once, and remembering it.

Enters: paths; leaves: for each a `Fingerprint`, or None where the file cannot be opened. What was read is
kept in a small SQLite file in the cache and trusted as long as the file's size, times and inode stay what
they were, so that a second run does not read the data again. (Modification time and size alone would miss two
files of equal size that change places, which unpacked archives with their equal times make likely; the inode
and change time tell them apart.)
"""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.cache import cache_folder
from audiosurvey.data.audio.decoding import BadAudio, probe
from audiosurvey.data.readahead import cpu_count, in_order
from audiosurvey.plainfile import not_plain

Stamp = tuple[int, int, int, int]
_TABLE = "CREATE TABLE IF NOT EXISTS content (path BLOB PRIMARY KEY, stamp TEXT, digest TEXT, seconds REAL)"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Content of one file: `digest` is a BLAKE2b of its bytes (32 hex digits)."""

    digest: str
    seconds: float | None
    """Length by its header; None where it is no readable sound file or leaves the length open."""


def fingerprints(paths: Iterable[Path], workers: int | None = None) -> dict[Path, Fingerprint | None]:
    """The fingerprint of each file, read where it is not known yet; None where it cannot be opened."""
    known: dict[Path, Fingerprint | None] = {}
    unknown: list[tuple[Path, Stamp]] = []
    with _Memory(cache_folder() / "fingerprints.sqlite") as memory:
        for path in dict.fromkeys(paths):
            stamp = stamp_of(path)
            known[path] = memory.find(path, stamp) if stamp else None
            if stamp and known[path] is None:
                unknown.append((path, stamp))
        if unknown:
            threads = workers or min(cpu_count(), 16)
            read = in_order(_read, (path for path, _ in unknown), workers=threads, ahead=4 * threads)
            with contextlib.closing(read):
                for (path, stamp), fingerprint in zip(unknown, read, strict=True):
                    known[path] = fingerprint
                    # A file that changed while it was read is not remembered.
                    if fingerprint and stamp_of(path) == stamp:
                        memory.keep(path, stamp, fingerprint)
    return known


def _read(path: Path) -> Fingerprint | None:
    if not_plain(path):
        return None
    try:
        with path.open("rb") as stream:
            hashed = hashlib.blake2b(digest_size=16)
            while block := stream.read(1 << 20):
                hashed.update(block)
    except OSError:
        return None
    try:
        return Fingerprint(hashed.hexdigest(), probe(path).seconds)
    except BadAudio:
        return Fingerprint(hashed.hexdigest(), None)


def stamp_of(path: Path) -> Stamp | None:
    """Size, modification time, change time and inode: equal stamps mean equal content. None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


class _Memory:
    """The SQLite file. Losing it costs only time, so a damaged or unwritable one is done without."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._database: sqlite3.Connection | None = None
        self._new: list[tuple[bytes, str, str, float | None]] = []

    def __enter__(self) -> "_Memory":
        for _ in range(2):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                database = sqlite3.connect(self._file, timeout=30, isolation_level=None)
                database.execute(_TABLE)
                self._database = database
                break
            except sqlite3.OperationalError:
                break  # locked or not writable: another process needs it as it is
            except sqlite3.DatabaseError:
                with contextlib.suppress(OSError):
                    self._file.unlink()
            except OSError:
                break
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is None:
            return
        with contextlib.suppress(sqlite3.Error):
            self._write()
        self._database.close()

    def find(self, path: Path, stamp: Stamp) -> Fingerprint | None:
        if self._database is None:
            return None
        with contextlib.suppress(sqlite3.Error):
            query = "SELECT digest, seconds FROM content WHERE path = ? AND stamp = ?"
            row = self._database.execute(query, (_key(path), repr(stamp))).fetchone()
            return Fingerprint(*row) if row else None
        return None

    def keep(self, path: Path, stamp: Stamp, fingerprint: Fingerprint) -> None:
        self._new.append((_key(path), repr(stamp), fingerprint.digest, fingerprint.seconds))
        if len(self._new) >= 1000:  # so that a run that is stopped keeps most of what it read
            with contextlib.suppress(sqlite3.Error):
                self._write()

    def _write(self) -> None:
        if self._database is None or not self._new:
            return
        with _transaction(self._database):
            self._database.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?)", self._new)
        self._new = []


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _key(path: Path) -> bytes:
    # As bytes: a name on disk need not be valid text.
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100  (resolving links would cost a call a folder)
