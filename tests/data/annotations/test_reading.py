"""Which recordings a table or a folder is about."""

from pathlib import Path

import pytest

from audiosurvey.data.annotations.annotation import AnnotatedRecording, Annotation
from audiosurvey.data.annotations.reading import read_annotations
from audiosurvey.errors import UserError

EVENT = Annotation("robin", 0.5, 1.25)
TABLE = "start,end,label\n0.5,1.25,robin\n"


def sounds(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.wav"))


def make(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_table_names_its_recordings(tmp_path: Path):
    make(tmp_path, a_wav="", sub__b_wav="", t_csv="path,start,end,label\nsub/b.wav,2,3,owl\na.wav,0.5,1.25,robin\n")
    assert read_annotations(tmp_path / "t.csv", sounds) == [
        AnnotatedRecording(tmp_path / "a.wav", (EVENT,)),
        AnnotatedRecording(tmp_path / "sub" / "b.wav", (Annotation("owl", 2, 3),)),
    ]


def test_a_table_of_one_recording_lies_beside_it(tmp_path: Path):
    make(tmp_path, a_wav="", a_b_wav="", a_b_csv=TABLE)
    assert read_annotations(tmp_path / "a.b.csv", sounds) == [AnnotatedRecording(tmp_path / "a.b.wav", (EVENT,))]


def test_a_folder_with_tables_beside_recordings(tmp_path: Path):
    raven = "Begin Time (s)\tEnd Time (s)\tSpecies\n0.5\t1.25\trobin\n"
    make(tmp_path, a_wav="", a_csv=TABLE, sub__a_b_wav="", sub__a_b_Table_1_selections_txt=raven)
    make(tmp_path, empty_wav="", empty_txt="", unknown_wav="", notes_txt="not about a recording")
    assert read_annotations(tmp_path, sounds) == [
        AnnotatedRecording(tmp_path / "a.wav", (EVENT,)),
        AnnotatedRecording(tmp_path / "empty.wav", ()),
        AnnotatedRecording(tmp_path / "sub" / "a.b.wav", (EVENT,)),
    ]


def test_events_are_in_the_order_of_time(tmp_path: Path):
    make(tmp_path, a_wav="", a_csv="start,end,label\n2,3,b\n1,5,b\n1,2,c\n")
    (found,) = read_annotations(tmp_path / "a.csv", sounds)
    assert [(event.start_s, event.end_s, event.label) for event in found.events] == [
        (1, 2, "c"),
        (1, 5, "b"),
        (2, 3, "b"),
    ]


def test_what_is_missing_is_named(tmp_path: Path):
    make(tmp_path, t_csv="path,start,end,label\nnone.wav,2,3,owl\n", alone_csv=TABLE)
    make(tmp_path / "two", a_wav="", a_csv=TABLE, a_txt="0\t1\trobin\n")
    (tmp_path / "bare").mkdir()
    for path, message in (
        (tmp_path / "nowhere", "no such file or folder; expected a table of events"),
        (tmp_path / "t.csv", r"no such recording: .*none\.wav"),
        (tmp_path / "alone.csv", "names no recordings, and none of the same name is next to it; add a column path"),
        (tmp_path / "two", r"a\.wav: has two tables, a\.csv and a\.txt"),
        (tmp_path / "bare", "no recording with a table of events beside it"),
    ):
        with pytest.raises(UserError, match=message) as error:
            read_annotations(path, sounds)
        assert len(error.value.lines) == 1


def test_the_only_table_of_a_folder_may_name_its_recordings(tmp_path: Path):
    make(tmp_path, sub__a_wav="", all_csv="path,start,end,label\nsub\\a.wav,0.5,1.25,robin\n")
    assert read_annotations(tmp_path, sounds) == [AnnotatedRecording(tmp_path / "sub" / "a.wav", (EVENT,))]


def test_a_recording_that_was_moved_is_found_by_its_name(tmp_path: Path):
    make(tmp_path, sub__a_wav="", t_csv="path,start,end,label\nD:\\field\\a.wav,0.5,1.25,robin\n")
    assert read_annotations(tmp_path / "t.csv", sounds) == [AnnotatedRecording(tmp_path / "sub" / "a.wav", (EVENT,))]
    make(tmp_path, other__a_wav="")
    with pytest.raises(UserError, match=r"no such recording: .*a\.wav"):
        read_annotations(tmp_path / "t.csv", sounds)
