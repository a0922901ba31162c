"""Stretches of files, and tables of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.embeddings.stretches import FileStretch, StretchSource, find_stretches, read_sound_table
from audiosurvey.errors import UserError
from audiosurvey.prediction.sources import FileSource


def test_parts_of_a_file_overlap_if_they_share_more_than_rounding():
    part = FileStretch("a", 1.0, 2.0)
    assert part.overlaps(1.5, 3)
    assert part.overlaps(0, 1.1)
    assert not part.overlaps(2.0, 3)
    assert not part.overlaps(0, 1.0004)
    assert FileStretch("a").overlaps(100, 101)
    assert FileStretch("a", 5.0).overlaps(100, 101)


def test_a_table_lists_files_and_parts_of_them(write: Callable[..., Path], tmp_path: Path):
    write("in/a.wav", 300, 900)
    write("in/b.wav", 2500)
    (tmp_path / "in" / "list.csv").write_text(
        "filename;onset;offset\na.wav;0.5;1\na.wav;0.5;1\nb.wav;;\n.\\missing.wav;;\n", encoding="utf-8"
    )
    part, whole, missing = find_stretches([str(tmp_path / "in" / "list.csv")])
    assert isinstance(part, StretchSource)
    assert (part.start_s, part.end_s, part.length(8000)) == (0.5, 1, 4000)
    wave_S = soundfile.read(tmp_path / "in" / "a.wav", dtype="float32")[0]
    np.testing.assert_array_equal(np.concatenate(list(part.blocks(8000, "mean"))), wave_S[4000:])
    assert isinstance(whole, FileSource)
    assert whole.fault is None
    assert isinstance(missing, FileSource)
    assert "No such file" in str(missing.fault)


def test_faults_of_tables_are_told_with_their_lines(tmp_path: Path):
    table = tmp_path / "list.csv"
    table.write_text("path,start,end\na.wav,x,\n,1,\nb.wav,-2,\na.wav,1,1\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_sound_table(table)
    assert [line.split("list.csv")[1] for line in caught.value.lines] == [
        ":2: start: 'x' is not a time; expected seconds such as 1.5",
        ":3: path: empty; expected the path of a sound file",
        ":4: start: '-2' is not a time; expected seconds such as 1.5",
        ":5: end: 1 s is not after the start, 1 s",
    ]
    table.write_text("name,label\na.wav,x\n", encoding="utf-8")
    with pytest.raises(UserError, match="no column path; there are name, label"):
        read_sound_table(table)
    with pytest.raises(UserError, match="no such file"):
        find_stretches([str(tmp_path / "none.csv")])


def test_a_pattern_of_tables_is_all_of_them(write: Callable[..., Path], tmp_path: Path):
    for name in ("a", "b"):
        write(f"{name}.wav", 300)
        (tmp_path / f"l{name}.csv").write_text(f"path\n{name}.wav\n", encoding="utf-8")
    found = find_stretches([str(tmp_path / "l*.csv")])
    assert [Path(source.name).name for source in found] == ["a.wav", "b.wav"]
    with pytest.raises(UserError, match=r"x\*\.csv: no file matches this pattern"):
        find_stretches([str(tmp_path / "x*.csv")])
