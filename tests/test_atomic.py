"""A file is whole or not there."""

from pathlib import Path

import pytest

from audiosurvey.atomic import replacing, write_text


def test_what_was_there_stays_until_all_is_written(tmp_path):
    path = tmp_path / "results.json"
    write_text(path, "old")
    with replacing(path) as beside:
        beside.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


def _break_off(path: Path) -> None:
    with replacing(path) as beside:
        beside.write_text("half", encoding="utf-8")
        raise OSError("full")


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "results.json"
    write_text(path, "old")
    with pytest.raises(OSError, match="full"):
        _break_off(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
