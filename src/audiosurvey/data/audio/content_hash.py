"""Hashes of the contents of sound files, cached between runs.

Hashes are kept in a small SQLite file in the cache and trusted as long as the file's size, times and inode are the
same. (Modification time and size alone would miss two files of equal size that change places, which is likely for
unpacked archives with their equal times.)
"""

import contextlib
import hashlib
import io
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.cache import cache_folder
from audiosurvey.data.audio.decoding import BadAudio, probe
from audiosurvey.data.audio.sound_file import Stamp, parts_of_file, stamp_of
from audiosurvey.data.readahead import cpu_count, in_order
from audiosurvey.plainfile import not_plain

_TABLE = "CREATE TABLE IF NOT EXISTS content (path BLOB PRIMARY KEY, stamp TEXT, digest TEXT, seconds REAL)"
_SMALL = 1 << 22
"""Bytes. Files up to this size are read once for their hash and their streams."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Content of one file: `digest` is a BLAKE2b of its bytes (32 hex digits)."""

    digest: str
    seconds: float | None
    """Length by its header; None where it is not a readable sound file or leaves the length open."""


def fingerprints(paths: Iterable[Path], workers: int | None = None) -> dict[Path, Fingerprint | None]:
    """The fingerprint of each file, computed where it is not cached; None where it cannot be opened."""
    known: dict[Path, Fingerprint | None] = {}
    unknown: list[tuple[Path, Stamp]] = []
    with _Cache(cache_folder() / "fingerprints.sqlite") as cache:
        for path in dict.fromkeys(paths):
            stamp = stamp_of(path)
            known[path] = cache.find(path, stamp) if stamp else None
            if stamp and known[path] is None:
                unknown.append((path, stamp))
        if unknown:
            threads = workers or min(cpu_count(), 16)
            read = in_order(_read, (path for path, _ in unknown), workers=threads, ahead=4 * threads)
            with contextlib.closing(read):
                for (path, stamp), fingerprint in zip(unknown, read, strict=True):
                    known[path] = fingerprint
                    # A file that changed while it was read is not cached.
                    if fingerprint and stamp_of(path) == stamp:
                        cache.keep(path, stamp, fingerprint)
    return known


def _read(path: Path) -> Fingerprint | None:
    stamp = stamp_of(path)
    if stamp is None or not_plain(path):
        return None
    try:
        with path.open("rb") as stream:
            content = stream.read(_SMALL)
            hashed = hashlib.blake2b(content, digest_size=16)
            while block := stream.read(1 << 20):
                content = b""
                hashed.update(block)
    except OSError:
        return None
    try:
        if 0 < len(content) == stamp[0]:
            parts_of_file(path, stamp, io.BytesIO(content))
        return Fingerprint(hashed.hexdigest(), probe(path).seconds)
    except BadAudio:
        return Fingerprint(hashed.hexdigest(), None)


class _Cache:
    """The SQLite file. Losing it costs only time, so a damaged or unwritable one is ignored."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._database: sqlite3.Connection | None = None
        self._new: list[tuple[bytes, str, str, float | None]] = []

    def __enter__(self) -> "_Cache":
        for _ in range(2):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                database = sqlite3.connect(self._file, timeout=30, isolation_level="IMMEDIATE")
                database.execute(_TABLE)
                self._database = database
                break
            except (sqlite3.OperationalError, OSError):
                break  # locked or not writable
            except sqlite3.DatabaseError:
                with contextlib.suppress(OSError):
                    self._file.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._write(self._database)
            self._database.close()

    def find(self, path: Path, stamp: Stamp) -> Fingerprint | None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                query = "SELECT digest, seconds FROM content WHERE path = ? AND stamp = ?"
                row = self._database.execute(query, (_key(path), repr(stamp))).fetchone()
                return Fingerprint(*row) if row else None
        return None

    def keep(self, path: Path, stamp: Stamp, fingerprint: Fingerprint) -> None:
        self._new.append((_key(path), repr(stamp), fingerprint.digest, fingerprint.seconds))
        if len(self._new) >= 1000 and self._database is not None:  # so that a stopped run keeps most of its work
            self._write(self._database)

    def _write(self, database: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error), database:
            database.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?)", self._new)
            self._new = []


def _key(path: Path) -> bytes:
    # As bytes: a name on disk need not be valid text.
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100  (resolving links would cost a call per folder)
