"""ESC-50 and ESC-10: the published tables, what is missing, what is faulty."""

from collections import Counter
from pathlib import Path

import pytest

from audiosurvey.data.dataset import DatasetConfig, builtin_classes, load_table
from audiosurvey.data.sets.esc50 import CLASSES, ESC10_CLASSES, read_esc50
from audiosurvey.errors import UserError

HEADER = "filename,fold,target,category,esc10,src_file,take"


def write(root: Path, *rows: str, header: str = HEADER) -> Path:
    (root / "meta").mkdir(parents=True)
    (root / "audio").mkdir()
    (root / "meta" / "esc50.csv").write_text("\n".join([header, *rows]) + "\n")
    for row in rows:
        (root / "audio" / row.split(",")[0]).touch()
    return root


def published_rows() -> list[str]:
    """A table of the published form: 50 classes, 8 clips a class and fold."""
    return [
        f"{fold}-{1000 * fold + 10 * n + 100_000 * target}-A-{target}.wav,{fold},{target},{name},"
        f"{name in ESC10_CLASSES},{1000 * fold + 10 * n + 100_000 * target},A"
        for target, name in enumerate(CLASSES)
        for fold in range(1, 6)
        for n in range(8)
    ]


def test_the_real_table(shared: Path):
    config = DatasetConfig(name="esc50", root=shared / "data" / "esc50-16k")
    table = load_table(config)
    assert len(table.clips) == 2000
    assert Counter(clip.fold for clip in table.clips) == dict.fromkeys(range(1, 6), 400)
    assert table.classes == CLASSES == builtin_classes(config)
    assert table.official
    assert table.licence == "CC BY-NC 3.0 (non-commercial)"
    first = table.clips[0]
    assert (first.id, first.labels, first.fold, first.source) == ("audio/1-100032-A-0.ogg", (0,), 1, "100032")
    assert first.path.is_file()


@pytest.mark.parametrize("folder", ["esc10", "esc50-16k"])
def test_the_real_subset_in_either_folder(shared: Path, folder: str):
    config = DatasetConfig(name="esc50", root=shared / "data" / folder, subset="esc10")
    table = load_table(config)
    assert table.classes == ESC10_CLASSES == builtin_classes(config)
    assert Counter((clip.fold, clip.labels) for clip in table.clips) == {
        (fold, (label,)): 8 for fold in range(1, 6) for label in range(10)
    }
    assert (table.official, table.subset, table.licence) == (True, "esc10", "CC BY 3.0")


def test_the_rows_of_esc10_alone_are_no_esc50(shared: Path):
    table = load_table(DatasetConfig(name="esc50", root=shared / "data" / "esc10"))
    assert not table.official
    assert table.classes == ESC10_CLASSES
    assert any("not the whole table" in note for note in table.notes)


def test_a_whole_table_of_the_published_form_is_official(tmp_path: Path):
    assert read_esc50(write(tmp_path / "a", *published_rows())).official


def test_moved_rows_are_not_official(tmp_path: Path):
    rows = published_rows()
    rows[0], rows[8] = (row.replace(f",{a},0,dog", f",{b},0,dog") for row, a, b in ((rows[0], 1, 2), (rows[8], 2, 1)))
    assert not read_esc50(write(tmp_path / "a", *rows)).official


def test_a_row_less_is_not_official(tmp_path: Path):
    assert not read_esc50(write(tmp_path / "a", *published_rows()[1:])).official


def test_a_renamed_class_is_not_official(tmp_path: Path):
    rows = [row.replace(",dog,", ",hound,") for row in published_rows()]
    table = read_esc50(write(tmp_path / "a", *rows))
    assert not table.official
    assert table.classes[0] == "hound"


def test_labels_are_counted_anew_in_the_order_of_targets(tmp_path: Path):
    rows = ["1-1-A-41.wav,1,41,chainsaw,True,1,A", "2-2-A-0.wav,2,0,dog,True,2,A", "1-3-A-7.wav,1,7,insects,False,3,A"]
    table = read_esc50(write(tmp_path / "a", *rows))
    assert table.classes == ("dog", "insects", "chainsaw")
    assert [clip.labels for clip in table.clips] == [(2,), (0,), (1,)]


def test_all_faults_are_told_with_their_lines(tmp_path: Path):
    rows = ["a.wav,x,0,dog,True,1,A", "b.wav,1,-,dog,True,2,A", "b.wav,1,0,cat,True,,A", "c.wav,1,1,cow,True,3,A"]
    rows += ["c.wav,1,1,pig,True,4,A"]
    with pytest.raises(UserError) as caught:
        read_esc50(write(tmp_path / "a", *rows))
    place = (tmp_path / "a" / "meta" / "esc50.csv").as_posix()
    assert caught.value.lines == (
        f"{place}:2: fold: 'x' is not a fold; expected 1, 2, ...",
        f"{place}:3: target: '-' is not a class number",
        f"{place}:4: category: 'cat', but 0 is 'dog' further up",
        f"{place}:4: src_file: empty",
        f"{place}:4: filename: b.wav is already in line 3",
        f"{place}:6: category: 'pig', but 1 is 'cow' further up",
        f"{place}:6: filename: c.wav is already in line 5",
    )


def test_a_missing_column_is_named(tmp_path: Path):
    write(tmp_path / "a", "a.wav,1", header="filename,fold")
    with pytest.raises(UserError, match="no column target, category, src_file, esc10, take; there are filename, fold"):
        read_esc50(tmp_path / "a")


def test_missing_data_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        load_table(DatasetConfig())
    assert caught.value.lines == ("data/ESC-50: not found; run 'audiosurvey download esc50' or set dataset.root",)


def test_a_set_one_level_down_is_pointed_at(tmp_path: Path):
    write(tmp_path / "ESC-50-master", "a.wav,1,0,dog,True,1,A")
    with pytest.raises(UserError, match=r"set dataset.root to .*/ESC-50-master$"):
        load_table(DatasetConfig(root=tmp_path))


def test_a_missing_file_is_a_note_and_all_missing_an_error(tmp_path: Path):
    root = write(tmp_path / "a", *published_rows())
    next((root / "audio").iterdir()).unlink()
    table = load_table(DatasetConfig(root=root))
    assert len(table.clips) == 2000
    assert not table.official
    assert any("1 of 2000 sound files do not exist" in note for note in table.notes)
    for path in (root / "audio").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="nor any other of the 2000 files"):
        load_table(DatasetConfig(root=root))


def test_a_table_without_marked_rows_has_no_subset(tmp_path: Path):
    root = write(tmp_path / "a", "a.wav,1,7,insects,False,1,A")
    with pytest.raises(UserError, match=r"no row is marked esc10; leave out dataset.subset"):
        load_table(DatasetConfig(root=root, subset="esc10"))
