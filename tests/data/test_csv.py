"""One's own CSV: columns, labels, stretches, folds, sides, sources; every fault with its line."""

from pathlib import Path
from typing import Any

import pytest

from audiosurvey.data.csv import ColumnsConfig, read_csv
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError


def read(root: Path, *lines: str, separator: str = "|", encoding: str = "utf-8", **columns: Any) -> Table:
    path = root / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return read_csv(root, path, ColumnsConfig(**columns), separator)


def faults(root: Path, *lines: str, **columns: Any) -> list[str]:
    with pytest.raises(UserError) as caught:
        read(root, *lines, **columns)
    return [line.removeprefix(root.as_posix() + "/") for line in caught.value.lines]


def test_paths_and_labels(tmp_path: Path):
    table = read(tmp_path, "path,label", "b.wav,dog", "sub/a.wav,cat", r".\sub\c.wav,dog")
    assert table.classes == ("cat", "dog")
    assert [(clip.id, clip.labels, clip.source) for clip in table.clips] == [
        ("b.wav", (1,), None),
        ("sub/a.wav", (0,), None),
        ("sub/c.wav", (1,), None),
    ]
    assert table.clips[2].path == tmp_path / "sub" / "c.wav"
    assert (table.multi_label, table.folds, table.official, table.licence) == (False, (), False, None)


def test_everything_is_text_and_numbers_are_in_order(tmp_path: Path):
    table = read(tmp_path, "path,label", "a.wav,10", "b.wav,9", "c.wav,10")
    assert table.classes == ("9", "10")
    assert read(tmp_path, "path,label", "a.wav,NA", "b.wav,001").classes == ("001", "NA")


def test_columns_by_other_names_in_a_spreadsheets_csv(tmp_path: Path):
    lines = ("file;class;k;note", "a.wav;dog, big;1.0;x", "b.wav;cat;2.0;")
    table = read(tmp_path, *lines, encoding="utf-8-sig", path="file", label="class", fold="k")
    assert table.classes == ("cat", "dog, big")
    assert [clip.fold for clip in table.clips] == [1, 2]


def test_quotes_tabs_blank_lines_and_short_rows(tmp_path: Path):
    table = read(tmp_path, "path\tlabel\tsource", '"a\tb.wav"\tdog\trec 1', "", "c.wav\tcat")
    assert [(clip.id, clip.source) for clip in table.clips] == [("a\tb.wav", "rec 1"), ("c.wav", None)]


def test_several_labels_make_the_table_multi_label(tmp_path: Path):
    table = read(tmp_path, "path,label", "a.wav,dog | cat", "b.wav,cat", "c.wav,", "d.wav,dog|dog")
    assert table.multi_label
    assert table.classes == ("cat", "dog")
    assert [clip.labels for clip in table.clips] == [(0, 1), (0,), (), (1,)]
    assert any("1 clips have no label" in note for note in table.notes)
    assert not read(tmp_path, "path,label", "a.wav,x|y", "b.wav,z", separator=";").multi_label


def test_stretches_of_one_file_share_it_as_source(tmp_path: Path):
    lines = ("path,label,start,end", "a.wav,x,0,1.5", "a.wav,y,1.5,3", "a.wav,y,3,", "b.wav,x,,2", "c.wav,x,,")
    table = read(tmp_path, *lines)
    assert [(clip.id, clip.source) for clip in table.clips] == [
        ("a.wav#0.000-1.500", "a.wav"),
        ("a.wav#1.500-3.000", "a.wav"),
        ("a.wav#3.000-end", "a.wav"),
        ("b.wav#0.000-2.000", "b.wav"),
        ("c.wav", None),
    ]
    assert [(clip.start_s, clip.end_s) for clip in table.clips] == [
        (0, 1.5),
        (1.5, 3),
        (3, None),
        (None, 2),
        (None,) * 2,
    ]


def test_a_named_source_holds_for_all_rows_of_the_file(tmp_path: Path):
    lines = ("path,label,start,source", "a.wav,x,0,rec7", "a.wav,y,2,", "b.wav,y,1,")
    assert [clip.source for clip in read(tmp_path, *lines).clips] == ["rec7", "rec7", "b.wav"]


def test_stretches_finer_than_a_millisecond_stay_apart(tmp_path: Path):
    table = read(tmp_path, "path,label,start", "a.wav,x,0.0001", "a.wav,y,0.0002")
    assert [clip.id for clip in table.clips] == ["a.wav#0.0001-end", "a.wav#0.0002-end"]


@pytest.mark.parametrize(
    ("word", "side"), [("train", "train"), ("Validation", "val"), ("valid", "val"), ("DEV", "val"), ("test", "test")]
)
def test_sides(tmp_path: Path, word: str, side: str):
    table = read(tmp_path, "path,label,split", f"a.wav,x,{word}", "b.wav,y,train")
    assert table.clips[0].side == side
    assert table.folds == (1,)


def test_folds_counted_from_zero_are_counted_from_one(tmp_path: Path):
    table = read(tmp_path, "path,label,fold", "a.wav,x,0", "b.wav,y,1")
    assert table.folds == (1, 2)
    assert any("counts from 0" in note for note in table.notes)


def test_a_column_can_be_passed_over(tmp_path: Path):
    assert read(tmp_path, "path,label,fold", "a.wav,x,old", "b.wav,y,new", fold=None).folds == ()


def test_absolute_paths_below_the_root_are_made_relative(tmp_path: Path):
    table = read(tmp_path, "path,label", f"{tmp_path / 'sub' / 'a.wav'},x", "b.wav,y")
    assert table.clips[0].id == "sub/a.wav"


def test_all_faults_at_once_in_the_order_of_lines(tmp_path: Path):
    lines = ("path,label,fold,start,end", "a.wav,x,1,0,1", ",x,1,,", "b.wav,x,x,0,1", "c.wav,x,,-1,1", "d.wav,x,2,3,2")
    lines += ("e.wav,x,2,one,2", "a.wav,y,2,0,1")
    assert faults(tmp_path, *lines) == [
        "labels.csv:3: path: empty; expected a sound file",
        "labels.csv:4: fold: 'x' is not a number; expected 1, 2, ...",
        "labels.csv:5: start: -1 s lies before the start of the file",
        "labels.csv:5: fold: empty, while other rows are filled",
        "labels.csv:6: end: the clip ends at 2 s, where it begins or before",
        "labels.csv:7: start: 'one' is not a number; expected seconds such as 1.5",
        "labels.csv:8: row: a.wav#0.000-1.000 stands in line 2 already; "
        "join several labels of a clip with '|' in one row",
    ]


def test_a_long_list_of_faults_is_cut(tmp_path: Path):
    found = faults(tmp_path, "path,label", *["a.wav,"] * 3, *[",x"] * 80)
    assert len(found) == 51
    assert found[-1].endswith("more faults")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["path,label", "a.wav,", "b.wav,x"], "labels.csv:2: label: empty; expected the name of a class"),
        (["path,label", "a.wav,x,y"], "labels.csv:2: row: 3 cells where the first line names 2 columns"),
        (["path,label,path", "a.wav,x,y"], "labels.csv:1: column path stands there twice"),
        (["path,label"], "labels.csv: no rows below the line with the names of the columns"),
        ([""], "labels.csv: empty; expected a first line"),
        (["file,class", "a.wav,x"], "labels.csv:1: no column path, label; there are file, class; name them in"),
        (["path,label,split", "a.wav,x,trian"], "labels.csv:2: split: 'trian' is none of train, val, test"),
        (["path,label,fold,split", "a.wav,x,1,train"], "labels.csv: columns fold and split both divide the clips"),
        (["path,label,fold", "a.wav,x,-1"], "labels.csv:2: fold: -1 is below 0"),
    ],
)
def test_faulty_tables(tmp_path: Path, lines: list[str], fault: str):
    found = faults(tmp_path, *lines)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_column_that_was_asked_for_must_be_there(tmp_path: Path):
    assert "no column recording" in faults(tmp_path, "path,label", "a.wav,x", source="recording")[0]


def test_files_that_are_no_text(tmp_path: Path):
    (tmp_path / "labels.csv").write_bytes("path,label\na.wav,h\xe4\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_csv(tmp_path, tmp_path / "labels.csv", ColumnsConfig())
    (tmp_path / "labels.csv").write_bytes(b"RIFF\0\0\0\0")
    with pytest.raises(UserError, match="not a text file"):
        read_csv(tmp_path, tmp_path / "labels.csv", ColumnsConfig())


def test_where_the_table_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "sounds"
    root.mkdir()
    for name in ("a", "b", "c", "d"):
        (root / f"{name}.wav").touch()
    (root / "l.csv").write_text("path,label,fold\na.wav,x,1\nb.wav,y,1\nc.wav,x,2\nd.wav,y,2\n")
    relative = Path("sounds")
    for config in (
        DatasetConfig(name="csv", root=relative),
        DatasetConfig(name="csv", root=relative, table=Path("l.csv")),
        DatasetConfig(name="csv", table=Path("sounds/l.csv")),
    ):
        table = load_table(config)
        assert (len(table.clips), table.root) == (4, relative)
    (root / "m.csv").touch()
    with pytest.raises(UserError, match=r"expected one CSV file, there are: l.csv, m.csv; set dataset.table"):
        load_table(DatasetConfig(name="csv", root=relative))
    with pytest.raises(UserError, match=r"no.csv and sounds/no.csv: not found; set dataset.table"):
        load_table(DatasetConfig(name="csv", root=relative, table=Path("no.csv")))


def test_folds_wanted_where_the_table_has_its_own(tmp_path: Path):
    read(tmp_path, "path,label,fold", "a.wav,x,1", "b.wav,y,2")
    (tmp_path / "a.wav").touch()
    with pytest.raises(UserError, match=r"dataset.num_folds: 3, but the table divides its clips itself"):
        load_table(DatasetConfig(name="csv", root=tmp_path, num_folds=3))


def test_a_single_fold_cannot_be_tested_but_can_be_scored(tmp_path: Path):
    read(tmp_path, "path,label,fold", "a.wav,x,1", "b.wav,y,1")
    (tmp_path / "a.wav").touch()
    config = DatasetConfig(name="csv", root=tmp_path)
    with pytest.raises(UserError, match=r"every clip is in one fold, a test needs a second; set dataset.columns.fold"):
        load_table(config)
    assert len(load_table(config, divide=False).clips) == 2


def test_a_pipe_is_not_opened(tmp_path: Path, named_pipe):
    with pytest.raises(UserError, match=r"table\.csv: not a plain file \(named pipe\)"):
        read_csv(tmp_path, named_pipe(tmp_path / "table.csv"), ColumnsConfig())
