"""One's own CSV: columns, labels, stretches, folds, sides, sources; every fault with its line."""

from pathlib import Path
from typing import Any

import pytest

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.sets.csv_table import ColumnsConfig, read_csv
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
    assert read(tmp_path, "path,label", "a.wav,na", "b.wav,001").classes == ("001", "na")


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


def test_labels_joined_by_another_separator_are_told(tmp_path: Path):
    rows = ["a.wav,dog; cat", "b.wav,cat", "c.wav,dog", "d.wav,cat;dog"]
    (note,) = (note for note in read(tmp_path, "path,label", *rows).notes if "made of others" in note)
    assert note == (
        "2 labels are made of others with ';' between them, such as 'cat;dog'; "
        "if these are several labels, set dataset.label_separator: ';'"
    )
    # Names with a mark inside, of parts that are no labels, are names.
    for table in (
        read(tmp_path, "path,label", *rows, separator=";"),
        read(tmp_path, "path,label", "a.wav,church bells/large", "b.wav,car/engine"),
    ):
        assert not any("made of others" in note for note in table.notes)


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("\"['a', 'b']\"", ("a", "b")),
        ("\"['b']\"", ("b",)),
        ('"[""a"", ""b""]"', ("a", "b")),
        ("['a' 'b']", ("a", "b")),
        ("\"[ 'a' , \n 'b' ]\"", ("a", "b")),
        ("\"['it\\'s, a|b', 'a']\"", ("a", "it's, a|b")),
        ("[]", ()),
        ("[a]", ("[a]",)),
        ("\"['a', b]\"", ("['a', b]",)),
        ("['a'] or b", ("['a'] or b",)),
    ],
)
def test_lists_of_labels(tmp_path: Path, cell: str, labels: tuple[str, ...]):
    table = read(tmp_path, "path,label", f"x.wav,{cell}", "y.wav,c|d")
    assert tuple(table.classes[label] for label in table.clips[0].labels) == labels


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
        "labels.csv:8: row: a.wav#0.000-1.000 is already in line 2; join several labels of a clip with '|' in one row",
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
        (["path,label,path", "a.wav,x,y"], "labels.csv:1: column path occurs twice"),
        (["path,label"], "labels.csv: no rows below the line with the names of the columns"),
        ([""], "labels.csv: empty; expected a first line"),
        (["file,class", "a.wav,x"], "labels.csv:1: no column path, label; there are file, class; name them in"),
        (["path,label,split", "a.wav,x,trian"], "labels.csv:2: split: 'trian' is not one of train, val, test"),
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
    with pytest.raises(UserError, match=r"expected one CSV file, found: l.csv, m.csv; set dataset.table"):
        load_table(DatasetConfig(name="csv", root=relative))
    with pytest.raises(UserError, match=r"no.csv and sounds/no.csv: not found; set dataset.table"):
        load_table(DatasetConfig(name="csv", root=relative, table=Path("no.csv")))


def test_folds_wanted_where_the_table_has_its_own(tmp_path: Path):
    read(tmp_path, "path,label,fold", "a.wav,x,1", "b.wav,y,2")
    (tmp_path / "a.wav").touch()
    with pytest.raises(UserError, match=r"dataset.num_folds: 3, but the table defines folds in column \w+"):
        load_table(DatasetConfig(name="csv", root=tmp_path, num_folds=3))


def test_a_single_fold_cannot_be_tested_but_can_be_scored(tmp_path: Path):
    read(tmp_path, "path,label,fold", "a.wav,x,1", "b.wav,y,1")
    (tmp_path / "a.wav").touch()
    config = DatasetConfig(name="csv", root=tmp_path)
    with pytest.raises(
        UserError, match=r"all clips are in one fold, but testing needs a second one; set dataset.columns.fold"
    ):
        load_table(config)
    assert len(load_table(config, divide=False).clips) == 2


def told(root: Path, *lines: str, **options: Any) -> list[str]:
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_csv(root, root / "labels.csv", ColumnsConfig(), **options)
    return [line.removeprefix(root.as_posix() + "/") for line in caught.value.lines]


def declared(root: Path, multi_label: bool | None, *rows: str, **options: Any) -> Table:
    (root / "labels.csv").write_text("\n".join(("path,label", *rows)) + "\n", encoding="utf-8")
    return read_csv(root, root / "labels.csv", ColumnsConfig(), multi_label=multi_label, **options)


def test_a_table_can_be_declared_multi_label(tmp_path: Path):
    rows = ("a.wav,dog", "b.wav,", "c.wav,cat")
    table = declared(tmp_path, True, *rows)
    assert table.multi_label
    assert [clip.labels for clip in table.clips] == [(1,), (), (0,)]
    assert table.notes == ("1 clips have no label: they belong to none of the classes",)
    header = ("path,label", *rows)
    for multi_label in (None, False):
        assert told(tmp_path, *header, multi_label=multi_label) == [
            "labels.csv:3: label: empty; expected the name of a class; if clips may have no label, set "
            "dataset.multi_label: true"
        ]
    (fault,) = told(tmp_path, "path,label", "a.wav,dog|cat", "b.wav,cat", multi_label=False)
    assert fault.startswith("labels.csv:2: label: 2 labels, and dataset.multi_label is false; give one")


@pytest.mark.parametrize("mark", ["nan", "NaN", "NA", "N/A", "<NA>", "None", "null", "NULL", "#N/A"])
def test_marks_of_a_missing_label_are_no_classes(tmp_path: Path, mark: str):
    rows = ("a.wav,dog", f"b.wav,{mark}", "c.wav,cat")
    assert told(tmp_path, "path,label", *rows) == [
        f"labels.csv:3: label: '{mark}' stands for a missing label; name the class, or list '{mark}' in "
        "dataset.classes or dataset.exclude_classes if it is a class"
    ]
    assert declared(tmp_path, None, *rows, named=["dog", "cat", mark]).classes == tuple(sorted(["cat", "dog", mark]))
    negative = declared(tmp_path, True, *rows)
    assert (negative.classes, negative.clips[1].labels) == (("cat", "dog"), ())
    assert f"1 clips have no label ({mark}: read as no label)" in negative.notes[0]


def test_the_config_keeps_or_drops_a_class_called_na(tmp_path: Path):
    for name in "abc":
        (tmp_path / f"{name}.wav").touch()
    (tmp_path / "labels.csv").write_text("path,label,fold\na.wav,dog,1\nb.wav,NA,1\nc.wav,cat,2\n")
    kept = load_table(DatasetConfig(name="csv", root=tmp_path, classes=["dog", "NA"]), divide=False)
    assert kept.classes == ("NA", "dog")
    left = load_table(DatasetConfig(name="csv", root=tmp_path, exclude_classes=["NA"]))
    assert [clip.id for clip in left.clips] == ["a.wav", "c.wav"]


def test_marks_of_a_missing_value_in_other_columns_are_empty_cells(tmp_path: Path):
    lines = ("path,label,source,start,end,fold", "a.wav,x,nan,nan,NaN,nan", "b.wav,y,nan,0,1,nan", "c.wav,y,r1,,,nan")
    table = read(tmp_path, *lines)
    # Not one recording called "nan".
    assert [clip.source for clip in table.clips] == [None, "b.wav", "r1"]
    assert (table.clips[0].start_s, table.clips[0].end_s, table.folds) == (None, None, ())
    assert "column source: 2 cells with nan are read as empty" in table.notes
    assert "column end: 1 cells with NaN are read as empty" in table.notes
    (fault,) = faults(tmp_path, "path,label", "nan,x", "b.wav,y")
    assert fault == "labels.csv:2: path: 'nan' stands for a missing value; expected a sound file"


def test_columns_that_are_not_read_are_told(tmp_path: Path):
    table = read(tmp_path, "path,label,speaker,age", "a.wav,x,anna,30", "b.wav,y,ben,40")
    assert table.notes == (
        "columns that are not read: speaker, age; if clips of one speaker belong together, set "
        "dataset.columns.source: speaker to keep them on one side of every split",
    )
    read_as_source = read(tmp_path, "path,label,speaker,age", "a.wav,x,anna,30", "b.wav,y,ben,40", source="speaker")
    assert read_as_source.notes == ("columns that are not read: age",)
    assert read(tmp_path, "path,label,source", "a.wav,x,1", "b.wav,y,2").notes == ()


def test_missing_columns_come_with_a_guess(tmp_path: Path):
    assert faults(tmp_path, "Filename,Class,x", "a.wav,x,1") == [
        "labels.csv:1: no column path, label; there are Filename, Class, x; name them in dataset.columns, perhaps "
        "{path: Filename, label: Class}"
    ]
    assert faults(tmp_path, "a,b", "a.wav,x")[0].endswith("there are a, b; name them in dataset.columns")


@pytest.mark.parametrize(("column", "values"), [("fold", ("1", "2")), ("split", ("train", "test"))])
def test_one_rule_for_tables_that_divide_their_clips(tmp_path: Path, column: str, values: tuple[str, str]):
    for name in "abcd":
        (tmp_path / f"{name}.wav").touch()
    one, two = values
    rows = (f"a.wav,x,{one}", f"b.wav,y,{one}", f"c.wav,x,{two}", f"d.wav,y,{two}")
    read(tmp_path, f"path,label,{column}", *rows)
    for num_folds in (3, 4):
        with pytest.raises(UserError, match=rf"num_folds: {num_folds}, but the table defines folds in column \w+"):
            load_table(DatasetConfig(name="csv", root=tmp_path, num_folds=num_folds))
    table = load_table(DatasetConfig(name="csv", root=tmp_path))
    assert any(f"column {column} divides the clips" in note for note in table.notes)
    assert any("dataset.num_folds is not used" in note for note in table.notes)
    made = load_table(
        DatasetConfig.model_validate(
            {"name": "csv", "root": tmp_path, "num_folds": 2, "columns": {column: None}},
        )
    )
    assert made.folds == (1, 2)


@pytest.mark.parametrize("written", ["fold1", "Fold 1", "fold_1", "FOLD-1", "1.0", "01"])
def test_folds_may_be_written_with_their_word(tmp_path: Path, written: str):
    assert [clip.fold for clip in read(tmp_path, "path,label,fold", f"a.wav,x,{written}", "b.wav,y,2").clips] == [1, 2]


@pytest.mark.parametrize("written", ["folder1", "fold", "1.5", "one"])
def test_other_folds_are_no_numbers(tmp_path: Path, written: str):
    (fault,) = faults(tmp_path, "path,label,fold", f"a.wav,x,{written}", "b.wav,y,2")
    assert fault == f"labels.csv:2: fold: '{written}' is not a number; expected 1, 2, ..."


def test_names_are_the_same_in_every_unicode_form(tmp_path: Path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    lines = (f"path,label,source,{decomposed}", f"a.wav,{composed},{composed},1", f"b.wav,{decomposed},{decomposed},2")
    table = read(tmp_path, *lines, fold=composed)
    assert table.classes == (composed,)
    assert [(clip.labels, clip.source, clip.fold) for clip in table.clips] == [((0,), composed, 1), ((0,), composed, 2)]
    assert DatasetConfig(name="csv", root=tmp_path, classes=[decomposed]).classes == [composed]


def test_a_file_is_found_under_either_form_of_its_name(tmp_path: Path):
    (tmp_path / "cafe\u0301.wav").touch()
    (table,) = read(tmp_path, "path,label", "caf\u00e9.wav,x").clips
    assert table.path.is_file()
    assert table.id == "caf\u00e9.wav"


def test_overlapping_stretches_with_different_labels_are_told(tmp_path: Path):
    rows = ("a.wav,x,0,3", "a.wav,y,2,4", "a.wav,y,4,5", "b.wav,x,0,9", "b.wav,x,1,2", "b.wav,y,8,")
    table = read(tmp_path, "path,label,start,end", *rows)
    assert table.notes == (
        "2 pairs of segments overlap and have different labels, first a.wav#0.000-3.000 (line 2) and "
        "a.wav#2.000-4.000 (line 3); set dataset.windows, such as {seconds: 5}, for windows with the labels of all "
        "segments in them",
    )


def test_a_quote_that_is_not_closed_is_told_where_it_begins(tmp_path: Path):
    (fault,) = faults(tmp_path, "path,label", "a.wav,x", 'b.wav,"y', "c.wav,x", "d.wav,y")
    assert fault.startswith("labels.csv:3: row: a double quote is not closed")
    assert faults(tmp_path, "path,label", 'a.wav,"x" y')[0].startswith("labels.csv:2: row: a double quote")
    assert read(tmp_path, "path,label", 'a.wav,5" nail', 'b.wav,"say ""x"""').classes == ('5" nail', 'say "x"')


def test_excels_line_about_the_delimiter(tmp_path: Path):
    table = read(tmp_path, "sep=;", "path;label", "a.wav;x, y", "b.wav;z", encoding="utf-8-sig")
    assert table.classes == ("x, y", "z")
    assert faults(tmp_path, "sep=;", "path;label", "a.wav;")[0].startswith("labels.csv:3: label: empty")


def test_windows_and_old_mac_line_ends(tmp_path: Path):
    for end in ("\r\n", "\r"):
        (tmp_path / "labels.csv").write_bytes(end.join(["path,label", "a.wav,x", "b.wav,y", ""]).encode())
        assert read_csv(tmp_path, tmp_path / "labels.csv", ColumnsConfig()).classes == ("x", "y")


def test_a_pipe_is_not_opened(tmp_path: Path, named_pipe):
    with pytest.raises(UserError, match=r"table\.csv: not a plain file \(named pipe\)"):
        read_csv(tmp_path, named_pipe(tmp_path / "table.csv"), ColumnsConfig())
