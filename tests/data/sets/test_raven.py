"""Recordings with selection tables of Raven: which belong together, their windows, and what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError

HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies"


def recording(path: Path, seconds: float = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, round(8000 * seconds)), 8000)


def selections(path: Path, *events: tuple[float, float, str], more: str = "", cells: str = "") -> None:
    """`more`: names of further columns, `cells`: their contents, each after a tab."""
    rows = [
        f"{number}\t{view}\t1\t{start}\t{end}\t500\t900\t{label}{cells}"
        for number, (start, end, label) in enumerate(events, 1)
        for view in ("Waveform 1", "Spectrogram 1")
    ]
    path.write_text("\n".join([HEADER + more, *rows]) + "\n", encoding="utf-8")


def table(root: Path, *, divide: bool = False, **options: object) -> Table:
    given = {"name": "raven", "root": root, "windows": {"seconds": 2}, **options}
    return load_table(DatasetConfig.model_validate(given), divide=divide)


def test_tables_beside_recordings(tmp_path: Path):
    for name in ("a.wav", "night/b.wav", "silent.wav", "unheard.wav"):
        recording(tmp_path / name)
    selections(tmp_path / "a.Table.1.selections.txt", (0.5, 1.5, "owl"), (1, 3.5, "frog"))
    selections(tmp_path / "night" / "b.txt", (2, 2.1, "owl"))
    selections(tmp_path / "silent.txt")
    found = table(tmp_path)
    assert (found.name, found.classes, found.multi_label) == ("raven", ("frog", "owl"), True)
    assert [(clip.id, clip.labels, clip.source) for clip in found.clips] == [
        ("a.wav#0.000-2.000", (0, 1), "a.wav"),
        ("a.wav#2.000-4.000", (0,), "a.wav"),
        ("night/b.wav#0.000-2.000", (), "night/b.wav"),
        ("night/b.wav#2.000-4.000", (1,), "night/b.wav"),
        ("silent.wav#0.000-2.000", (), "silent.wav"),
        ("silent.wav#2.000-4.000", (), "silent.wav"),
    ]
    assert found.notes == (
        "1 recording without a table is left out (unheard.wav); an empty table means that a recording has no events",
        "6 windows of 2 s from 3 recordings: 3 with labels, 3 without",
    )


def test_one_table_names_its_recordings(tmp_path: Path):
    recording(tmp_path / "audio" / "a.wav")
    path = r"D:\field\2024" + "\\a.wav"
    # The second of two files: Raven counts the time of a selection from the start of the first, 60 s before.
    selections(tmp_path / "all.txt", (62.5, 63, "owl"), more="\tBegin Path\tFile Offset (s)", cells=f"\t{path}\t2.5")
    for found in (table(tmp_path), table(tmp_path, table="all.txt")):
        assert [(clip.id, clip.labels) for clip in found.clips] == [
            ("audio/a.wav#0.000-2.000", ()),
            ("audio/a.wav#2.000-4.000", (0,)),
        ]


def test_folds_are_made_by_recording(tmp_path: Path):
    for number in range(6):
        recording(tmp_path / f"{number}.wav")
        selections(
            tmp_path / f"{number}.selections.txt", (0.5, 1.5, "owl"), (2.2, 3.5, "frog" if number % 2 else "owl")
        )
    found = table(tmp_path, divide=True, num_folds=3)
    assert found.folds == (1, 2, 3)
    by_recording = {(clip.source, clip.fold) for clip in found.clips}
    assert len(by_recording) == 6


def test_a_damaged_recording_stays_so_that_the_store_reports_it(tmp_path: Path):
    recording(tmp_path / "a.wav")
    selections(tmp_path / "a.txt", (0.5, 1.5, "owl"))
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    selections(tmp_path / "b.txt", (0.5, 1.5, "frog"))
    assert [clip.id for clip in table(tmp_path).clips] == ["a.wav#0.000-2.000", "a.wav#2.000-4.000", "b.wav"]


def test_the_length_of_the_input_is_that_of_a_window(tmp_path: Path):
    options = {"name": "raven", "root": tmp_path, "windows": {"seconds": 2.5}}
    assert DatasetConfig.model_validate(options).resolved_clip_seconds() == 2.5
    assert DatasetConfig.model_validate(options | {"clip_seconds": 4}).resolved_clip_seconds() == 4


def test_what_is_wrong_is_told_in_a_line(tmp_path: Path):
    def fault(root: Path) -> str:
        with pytest.raises(UserError) as caught:
            table(root)
        (line,) = caught.value.lines
        return line.replace(tmp_path.as_posix(), "ROOT")

    assert fault(tmp_path / "none") == "ROOT/none: not found; set dataset.root"
    recording(tmp_path / "a.wav")
    assert fault(tmp_path) == ("ROOT: no recording with a table of events beside it, such as a.wav with a.csv or a.txt")
    selections(tmp_path / "a.txt")
    assert fault(tmp_path) == "ROOT: the tables list no event; expected some, each with a label"
    selections(tmp_path / "a.txt", (2, 1, "owl"))
    assert fault(tmp_path) == "ROOT/a.txt:3: End Time (s): the event ends at 1 s and starts at 2 s"
    (tmp_path / "a.txt").write_text(HEADER.replace("Species", "Note") + "\n", encoding="utf-8")
    assert fault(tmp_path).startswith("ROOT/a.txt:1: no column with labels; name one of them Species or Annotation")
