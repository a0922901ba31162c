"""The ignore list: what is written is read, and the clips it names take part in nothing."""

from pathlib import Path

import pytest

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.sets.ignore import fits, read_ignore, write_ignore
from audiosurvey.data.table import Ignored
from audiosurvey.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/0.wav", "a/1.wav", "a/#2.wav", "b/0.wav", "b/1.wav", "b/2.wav"):
        (tmp_path / "sounds" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sounds" / name).touch()
    return tmp_path / "sounds"


def config(root: Path, ignore: Path) -> DatasetConfig:
    return DatasetConfig(name="folder", root=root, num_folds=2, ignore=ignore)


def test_a_list_reads_back(tmp_path: Path) -> None:
    reasons = {"a/0.wav": "truncated: 3 frames", "ä b/#2.wav#1.500-3.000": "x\ty\nz", "#1.wav": "w"}
    write_ignore(tmp_path / "i.tsv", reasons)
    assert read_ignore(tmp_path / "i.tsv") == reasons | {"ä b/#2.wav#1.500-3.000": "x y z"}
    write_ignore(tmp_path / "i.tsv", {})
    assert read_ignore(tmp_path / "i.tsv") == {}


def test_ids_that_a_line_cannot_hold(tmp_path: Path) -> None:
    assert fits("a b/c#1.5-2.wav")
    assert not any(map(fits, ("a\tb", "a\nb", " a", "# a", "a\u2028b", "")))
    with pytest.raises(ValueError, match="tab or a line break"):
        write_ignore(tmp_path / "i.tsv", {"a\tb": "x"})


def test_a_list_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "i.tsv").write_bytes(b"\xef\xbb\xbf# mine\r\n\r\na/0.wav\r\nb/1.wav\t too loud \r\n#\r\n")
    assert read_ignore(tmp_path / "i.tsv") == {"a/0.wav": "no reason given", "b/1.wav": "too loud"}


def test_ignored_clips_are_gone_and_told_of(root: Path, tmp_path: Path) -> None:
    write_ignore(tmp_path / "i.tsv", {"b/1.wav": "silent", "a/#2.wav": "loud", "c/9.wav": "gone since"})
    table = load_table(config(root, tmp_path / "i.tsv"))
    assert [clip.id for clip in table.clips] == ["a/0.wav", "a/1.wav", "b/0.wav", "b/2.wav"]
    assert table.ignored == (Ignored("a/#2.wav", "loud"), Ignored("b/1.wav", "silent"))
    place = (tmp_path / "i.tsv").as_posix()
    assert f"2 clips left out by {place}, 1 of whose lines name no clip of this data set" in table.notes
    assert table.folds == (1, 2)


def test_a_list_beside_the_data_is_found(root: Path) -> None:
    write_ignore(root / "i.tsv", {"b/1.wav": "silent"})
    assert len(load_table(config(root, Path("i.tsv"))).clips) == 5


def test_an_empty_list_changes_nothing(root: Path, tmp_path: Path) -> None:
    write_ignore(tmp_path / "i.tsv", {})
    table = load_table(config(root, tmp_path / "i.tsv"))
    assert (len(table.clips), table.ignored) == (6, ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "not UTF-8 text (byte 0); expected a clip id and a reason on each line"),
        (b"\tsilent\n", "i.tsv:1: no clip id before the tab"),
        (
            b"dog/1.wav\tsilent\n",
            "'dog/1.wav' is not a clip of this data set, and neither is any other line",
        ),
        (b"b/0.wav\nb/1.wav\nb/2.wav\n", "leaves class 'b' without clips; remove some of its lines, or name the"),
    ],
)
def test_faulty_lists(root: Path, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "i.tsv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_table(config(root, tmp_path / "i.tsv"))
    assert message in caught.value.lines[0]


def test_a_class_that_is_not_used_may_lose_all_its_clips(root: Path, tmp_path: Path) -> None:
    (root / "c").mkdir()
    for n in range(2):
        (root / "c" / f"{n}.wav").touch()
    write_ignore(tmp_path / "i.tsv", {f"b/{n}.wav": "silent" for n in range(3)})
    table = load_table(config(root, tmp_path / "i.tsv").model_copy(update={"exclude_classes": ["b"]}))
    assert (table.classes, len(table.clips), len(table.ignored)) == (("a", "c"), 5, 3)


def test_a_list_that_is_not_there(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not found; set dataset.ignore, or leave it out"):
        load_table(config(root, tmp_path / "none.tsv"))


def test_a_published_set_without_a_clip_is_not_official(shared: Path, tmp_path: Path) -> None:
    root = shared / "data" / "esc10"
    assert load_table(DatasetConfig(root=root, subset="esc10")).official
    write_ignore(tmp_path / "i.tsv", {"audio/1-100032-A-0.ogg": "quiet"})
    table = load_table(DatasetConfig(root=root, subset="esc10", ignore=tmp_path / "i.tsv"))
    assert (table.official, len(table.clips)) == (False, 399)


def test_ids_are_the_same_in_every_unicode_form(tmp_path: Path) -> None:
    (tmp_path / "i.tsv").write_text("cafe\u0301/a.wav\tnoise\n", encoding="utf-8")
    assert read_ignore(tmp_path / "i.tsv") == {"caf\u00e9/a.wav": "noise"}


def test_a_pipe_is_not_opened(tmp_path: Path, named_pipe) -> None:
    with pytest.raises(UserError, match=r"ignore\.txt: not a plain file \(named pipe\)"):
        read_ignore(named_pipe(tmp_path / "ignore.txt"))
