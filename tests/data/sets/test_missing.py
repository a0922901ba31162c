"""Files that a table names and that are not there: counted and named, with a guess where none is there."""

import os
from pathlib import Path

import pytest

from audiosurvey.data.sets.missing import look_for_files
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError


def table(root: Path, *names: str) -> Table:
    clips = tuple(Clip(name, root / name, (0,)) for name in names)
    return Table("csv", root, ("x",), clips)


def make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def mend(root: Path, *names: str) -> str:
    with pytest.raises(UserError) as caught:
        look_for_files(table(root, *names), None)
    (line,) = caught.value.lines
    assert line.startswith(f"{(root / names[0]).as_posix()}: not found")
    return line.partition("; ")[2]


def test_a_few_missing_files_are_counted_and_named(tmp_path: Path):
    make(tmp_path / "a.wav")
    found = look_for_files(table(tmp_path, "a.wav", "b.wav", "c.wav", "d.wav", "e.wav"), None)
    place = tmp_path.as_posix()
    assert found.notes == (f"4 of 5 sound files do not exist: {place}/b.wav, {place}/c.wav, {place}/d.wav, ...",)
    make(tmp_path / "b.wav")
    assert look_for_files(table(tmp_path, "a.wav", "b.wav"), None).notes == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_missing(tmp_path: Path):
    # Building the store skips it, and says what it is.
    os.mkfifo(tmp_path / "pipe.wav")
    assert look_for_files(table(tmp_path, "pipe.wav"), None).notes == ()


def test_what_the_paths_may_be_relative_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    make(Path("sounds/dog/a.wav"))
    assert (
        mend(Path("sounds"), "sounds/dog/a.wav")
        == "the paths are relative to the working directory; set dataset.root: ."
    )
    assert mend(Path(), "dog/a.wav", "dog/b.wav") == "sounds/dog/a.wav exists; set dataset.root: sounds"
    assert mend(tmp_path / "sounds", "a.wav") == (
        f"{tmp_path.as_posix()}/sounds/dog/a.wav exists; set dataset.root: {tmp_path.as_posix()}/sounds/dog"
    )
    assert mend(Path("sounds"), "dog/a") == "sounds/dog/a.wav exists; write the paths with their extension"
    assert mend(Path("sounds"), "cat/z.wav") == "paths are relative to dataset.root"
    monkeypatch.chdir("/")
    assert mend(tmp_path / "sounds" / "tables", "dog/a.wav") == (
        f"the paths are relative to {tmp_path.as_posix()}/sounds; set dataset.root to it"
    )


def test_published_sets_are_downloaded(tmp_path: Path):
    with pytest.raises(UserError, match="run 'audiosurvey download esc50'"):
        look_for_files(table(tmp_path, "a.wav"), "run 'audiosurvey download esc50'")
