"""Rows of a table in a SQLite file of the cache, by their first column. Losing them costs only time."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

_MOST_ROWS, _MOST_BYTES = 1000, 1 << 24
"""Rows are written after so many of them, or so many bytes: a process that is stopped keeps most of its work."""
_MOST_ROW_BYTES = 1 << 28
"""Larger rows are not kept: SQLite refuses those of over 1 GB, and reading them back would take as much memory."""


class KeptRows:
    """A table in a SQLite file, which several processes may use. A damaged file is made anew; one that is locked or
    cannot be written is ignored."""

    def __init__(self, file: Path, table: str, columns: Sequence[str]) -> None:
        """`columns`: name and type of each, the key first: `("path BLOB", "digest TEXT")`."""
        self._file, self._table = file, table
        key, *others = columns
        self._make = f"CREATE TABLE IF NOT EXISTS {table} ({', '.join([f'{key} PRIMARY KEY', *others])})"
        self._key, *self._others = (column.split()[0] for column in columns)
        self._database: sqlite3.Connection | None = None
        self._new: list[Sequence[Any]] = []
        self._new_bytes = 0

    def __enter__(self) -> Self:
        for _ in range(2):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                database = sqlite3.connect(self._file, timeout=30, isolation_level="IMMEDIATE")
                database.execute(self._make)
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

    def has(self, key: object) -> bool:
        """Whether there is a row with this key."""
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                query = f"SELECT 1 FROM {self._table} WHERE {self._key} = ?"
                return self._database.execute(query, (key,)).fetchone() is not None
        return False

    def find(self, key: object) -> tuple[Any, ...] | None:
        """The other columns of the row with this key."""
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                query = f"SELECT {', '.join(self._others)} FROM {self._table} WHERE {self._key} = ?"
                return self._database.execute(query, (key,)).fetchone()
        return None

    def keep(self, *row: object) -> None:
        """Adds a row, or replaces that with its key; a row of over 256 MB is not kept."""
        size = sum(len(value) for value in row if isinstance(value, bytes | str))
        if self._database is None or size > _MOST_ROW_BYTES:
            return
        self._new.append(row)
        self._new_bytes += size
        if len(self._new) >= _MOST_ROWS or self._new_bytes >= _MOST_BYTES:
            self._write(self._database)

    def _write(self, database: sqlite3.Connection) -> None:
        insert = f"INSERT OR REPLACE INTO {self._table} VALUES ({', '.join('?' * (1 + len(self._others)))})"
        new, self._new, self._new_bytes = self._new, [], 0
        try:
            with database:
                database.executemany(insert, new)
        except sqlite3.OperationalError:
            pass  # locked or not writable, which each row would wait for again
        except (sqlite3.Error, OverflowError):
            # A value that SQLite refuses costs its own row, not the others.
            for row in new:
                with contextlib.suppress(sqlite3.Error, OverflowError), database:
                    database.execute(insert, row)
