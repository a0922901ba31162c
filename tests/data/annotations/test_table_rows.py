"""Tables of events as several programs write them, and what is wrong with others."""

from pathlib import Path

import pytest

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.data.annotations.table_rows import read_table
from audiosurvey.errors import UserError

RAVEN = """\
Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies
1\tWaveform 1\t1\t0.5\t1.25\t0\t8000\trobin
1\tSpectrogram 1\t1\t0.5\t1.25\t2000\t8000\trobin
2\tSpectrogram 1\t1\t1\t3\t500\t900\towl
"""
ROBIN, OWL = Annotation("robin", 0.5, 1.25), Annotation("owl", 1.0, 3.0)


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        (
            "a.csv",
            "path,start_s,end_s,label\na.wav,0.5,1.25,robin\nb.wav,1,3,owl\n",
            [("a.wav", ROBIN), ("b.wav", OWL)],
        ),
        ("a.csv", "onset;offset;class\n0.5;1.25;robin\n", [(None, ROBIN)]),
        ("a.csv", "file,start,end,label\nempty.wav,,,\n", [("empty.wav", None)]),
        ("a.csv", "start,end,label\n", []),
        ("a.Table.1.selections.txt", RAVEN, [(None, ROBIN), (None, OWL)]),
        ("a.txt", "0.5\t1.25\trobin\n\\\t2000\t8000\n1.0\t3.0\towl\n", [(None, ROBIN), (None, OWL)]),
        ("a.tsv", "Begin File\tBegin Time (s)\tEnd Time (s)\tAnnotation\nb.wav\t1\t3\towl\n", [("b.wav", OWL)]),
    ],
)
def test_tables_of_several_programs(tmp_path: Path, name: str, text: str, rows: list):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_table(tmp_path / name) == rows


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("path,label\na.wav,robin\n", [":1: no column start, end of events; there are path, label"]),
        (
            "start,end,label\nx,1,robin\n2,1,robin\n0,1,\n-1,2,owl\n",
            [
                ":2: start: 'x' is not a number of seconds",
                ":3: end: the event ends at 1 s and starts at 2 s",
                ":4: label: empty",
                ":5: start: '-1' is not a number of seconds",
            ],
        ),
        (
            "Selection\tBegin Time (s)\tEnd Time (s)\n1\t0\t1\n",
            [":1: no column with labels; name one of them Species or Annotation; there are Selection, "],
        ),
    ],
)
def test_every_fault_has_its_line(tmp_path: Path, text: str, lines: list[str]):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_table(path)
    assert len(error.value.lines) == len(lines)
    for found, expected in zip(error.value.lines, lines, strict=True):
        assert found.startswith(path.as_posix() + expected)


def test_a_fault_in_a_label_track(tmp_path: Path):
    (tmp_path / "a.txt").write_text("0.5\t1.25\trobin\n3\t2\towl\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.txt:2: end: the event ends at 2 s and starts at 3 s"):
        read_table(tmp_path / "a.txt")
