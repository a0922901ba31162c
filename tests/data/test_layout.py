"""What lies at a path: known layouts, a CSV, class folders, a bare folder."""

from pathlib import Path

import pytest

from audiosurvey.data.layout import dataset_at, has_class_folders, read_bare
from audiosurvey.errors import UserError

ESC = "filename,fold,target,category,esc10,src_file,take\n"


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_esc50_and_esc10_alone(tmp_path: Path) -> None:
    touch(tmp_path, "meta/esc50.csv")
    rows = ["1-1-A-0.wav,1,0,dog,True,1,A\n", "1-2-A-2.wav,1,2,pig,False,2,A\n"]
    (tmp_path / "meta" / "esc50.csv").write_text(ESC + "".join(rows), encoding="utf-8")
    assert (dataset_at(tmp_path).name, dataset_at(tmp_path).subset) == ("esc50", None)
    (tmp_path / "meta" / "esc50.csv").write_text(ESC + rows[0], encoding="utf-8")
    assert dataset_at(tmp_path).subset == "esc10"


def test_the_others(tmp_path: Path) -> None:
    assert dataset_at(touch(tmp_path / "u", "metadata/UrbanSound8K.csv")).name == "urbansound8k"
    assert dataset_at(touch(tmp_path / "f", "dog/1.wav", "notes.csv")).name == "folder"
    touch(tmp_path / "r", "1.wav", "deep/2.wav", "deep/2.Table.1.selections.txt")
    touch(tmp_path / "s", "1.wav", "2.wav", "notes.txt")
    assert dataset_at(tmp_path / "s").name == "folder"
    (tmp_path / "s" / "2.txt").write_text("Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\n", encoding="utf-8")
    for path in (tmp_path / "r", tmp_path / "s"):
        found = dataset_at(path)
        assert (found.name, found.root, found.resolved_clip_seconds()) == ("raven", path, 5)
    touch(tmp_path / "c", "1.wav")
    (tmp_path / "c" / "mine.csv").write_text("path,label\n1.wav,a\n", encoding="utf-8")
    for path in (tmp_path / "c", tmp_path / "c" / "mine.csv"):
        found = dataset_at(path)
        assert (found.name, found.root, found.table) == ("csv", tmp_path / "c", tmp_path / "c" / "mine.csv")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["dog/1.wav", "cat/deep/1.wav"], True),
        (["1.wav", "2.wav"], False),
        (["dog/1.wav", "dog/2.wav", "dog/3.wav", "loose.wav"], True),
        (["1.wav", "2.wav", "old/1.wav"], False),
        (["notes.txt"], False),
    ],
)
def test_class_folders(tmp_path: Path, names: list[str], expected: bool) -> None:
    assert has_class_folders(touch(tmp_path, *names)) is expected


def test_a_bare_folder(tmp_path: Path) -> None:
    table = read_bare(touch(tmp_path, "b.wav", "a.flac", "deep/c.ogg", ".d.wav", "e.txt"))
    assert [clip.id for clip in table.clips] == ["a.flac", "b.wav", "deep/c.ogg"]
    assert table.classes == ()
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no sound files in it"):
        read_bare(tmp_path / "none")
