"""A CSV whose rows are events: its recordings are cut into windows."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError


def table(root: Path, *lines: str, divide: bool = False, **options: object) -> Table:
    (root / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(root / name, np.random.default_rng(0).normal(0, 0.1, 32000), 8000)
    given = {"name": "csv", "root": root, "windows": {"seconds": 2}, **options}
    return load_table(DatasetConfig.model_validate(given), divide=divide)


def labels(found: Table) -> dict[str, set[str]]:
    return {clip.id: {found.classes[label] for label in clip.labels} for clip in found.clips}


def test_overlapping_rows_become_labels_of_windows(tmp_path: Path):
    rows = ("a.wav,0.5,1.5,owl", "a.wav,1,3.5,frog", "a.wav,0.5,1.5,cricket|frog", "b.wav,3,,owl", "c.wav,,,")
    found = table(tmp_path, "path,start,end,label", *rows)
    assert (found.name, found.classes, found.multi_label) == ("csv", ("cricket", "frog", "owl"), True)
    assert labels(found) == {
        "a.wav#0.000-2.000": {"cricket", "frog", "owl"},
        "a.wav#2.000-4.000": {"frog"},
        "b.wav#0.000-2.000": set(),
        "b.wav#2.000-4.000": {"owl"},
        "c.wav#0.000-2.000": set(),
        "c.wav#2.000-4.000": set(),
    }
    assert {clip.source for clip in found.clips} == {"a.wav", "b.wav", "c.wav"}
    assert found.notes == ("6 windows of 2 s from 3 recordings: 3 with labels, 3 without",)


def test_a_row_without_end_reaches_to_the_end_of_its_file(tmp_path: Path):
    found = table(tmp_path, "path,start,end,label", "a.wav,,,rain", "b.wav,1,,owl", windows={"seconds": 1})
    assert [len(found) for found in labels(found).values()] == [1, 1, 1, 1, 0, 1, 1, 1]


def test_folds_and_sources_are_those_of_the_recording(tmp_path: Path):
    header = "path,start,end,label,fold,source"
    rows = ("a.wav,0,1,owl,0,night 1", "a.wav,1,2,frog,0,", "b.wav,0,1,owl,1,b", "c.wav,0,1,frog,1,c.wav")
    found = table(tmp_path, header, *rows, divide=True)
    assert {(clip.path.name, clip.fold, clip.source, clip.global_source) for clip in found.clips} == {
        ("a.wav", 1, "night 1", True),
        ("b.wav", 2, "b", False),
        ("c.wav", 2, "c.wav", False),
    }


def test_rows_of_one_recording_are_not_divided(tmp_path: Path):
    with pytest.raises(UserError) as caught:
        table(tmp_path, "path,start,end,label,split", "b.wav,0,1,owl,test", "a.wav,0,1,owl,train", "a.wav,2,3,x,test")
    (line,) = caught.value.lines
    assert line.endswith("t.csv:4: split: not that of line 3, also of a.wav; windows of one recording stay together")


def test_some_row_has_a_label(tmp_path: Path):
    with pytest.raises(UserError, match=r"t\.csv: column label: no row has a label"):
        table(tmp_path, "path,start,end,label", "a.wav,0,1,")


def test_a_missing_file_is_told_as_without_windows(tmp_path: Path):
    found = table(tmp_path, "path,start,end,label", "a.wav,0,1,owl", "none.wav,0,1,frog")
    assert [clip.id for clip in found.clips] == ["a.wav#0.000-2.000", "a.wav#2.000-4.000", "none.wav"]
    assert "1 of 2 sound files do not exist" in found.notes[-1]
