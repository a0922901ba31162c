"""Rows kept in a SQLite file."""

import sqlite3
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
