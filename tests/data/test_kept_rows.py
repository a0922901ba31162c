"""Rows kept in a SQLite file."""

import sqlite3
import time
from pathlib import Path

import pytest

from audiosurvey.data import kept_rows
from audiosurvey.data.kept_rows import KeptRows

COLUMNS = ("name TEXT", "size INTEGER", "content BLOB")


def rows(file: Path) -> KeptRows:
    return KeptRows(file, "things", COLUMNS)


def test_rows_are_found_by_their_key(tmp_path: Path):
    with rows(tmp_path / "new" / "kept.sqlite") as kept:
        assert kept.find("a") is None
        kept.keep("a", 1, b"one")
        kept.keep("b", 2, b"two")
    with rows(tmp_path / "new" / "kept.sqlite") as kept:
        assert kept.find("a") == (1, b"one")
        kept.keep("a", 3, b"three")
    with rows(tmp_path / "new" / "kept.sqlite") as kept:
        assert [kept.find(name) for name in "abc"] == [(3, b"three"), (2, b"two"), None]


@pytest.mark.parametrize(("name", "most"), [("_MOST_ROWS", 3), ("_MOST_BYTES", 3 * 11)])
def test_rows_are_written_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int):
    monkeypatch.setattr(kept_rows, name, most)
    with rows(tmp_path / "kept.sqlite") as kept:
        for number in range(4):
            kept.keep(str(number), number, b"0123456789")
        with sqlite3.connect(tmp_path / "kept.sqlite") as other:
            assert other.execute("SELECT name FROM things").fetchall() == [("0",), ("1",), ("2",)]


def test_a_damaged_file_is_made_anew(tmp_path: Path):
    file = tmp_path / "kept.sqlite"
    file.write_bytes(b"this is no database" * 100)
    with rows(file) as kept:
        kept.keep("a", 1, b"")
    with rows(file) as kept:
        assert kept.find("a") == (1, b"")


def test_without_a_place_to_write_nothing_is_kept(tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with rows(tmp_path / "file" / "kept.sqlite") as kept:
        kept.keep("a", 1, b"")
        assert kept.find("a") is None


def test_a_row_that_is_too_large_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept_rows, "_MOST_ROW_BYTES", 20)
    with rows(tmp_path / "kept.sqlite") as kept:
        kept.keep("a", 1, b"one")
        kept.keep("large", 2, b"0123456789" * 3)
        # A value that SQLite refuses.
        kept.keep("huge", 1 << 70, b"")
        kept.keep("b", 3, b"two")
    with rows(tmp_path / "kept.sqlite") as kept:
        assert [kept.has(name) for name in ("a", "large", "huge", "b")] == [True, False, False, True]
        assert kept.find("b") == (3, b"two")


def test_a_locked_file_is_waited_for_once(tmp_path: Path):
    with rows(tmp_path / "kept.sqlite") as kept:
        kept.keep("a", 1, b"")
    other = sqlite3.connect(tmp_path / "kept.sqlite")
    with rows(tmp_path / "kept.sqlite") as kept:
        assert kept._database is not None
        kept._database.execute("PRAGMA busy_timeout = 300")
        other.execute("BEGIN IMMEDIATE")
        for number in range(20):
            kept.keep(str(number), number, b"")
        begin = time.monotonic()
        kept._write(kept._database)
        assert time.monotonic() - begin < 3
    other.close()
