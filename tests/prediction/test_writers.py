"""Answers as text: each format read back by another program's rules, names of any kind included."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.data.annotations.reading import read_annotations
from audiosurvey.prediction.events import EventRule
from audiosurvey.prediction.postprocessing import FailedSound, Postprocessing, Prediction
from audiosurvey.prediction.writers import PREDICTION_WRITERS, clock, open_output

LABELS = ["dog", "cat"]
STRANGE = 'a, "b"\nc.wav'
WHOLE = Prediction(
    STRANGE, 0, 1.25, (("cat", 0.75), ("dog", 0.25)), whole=True, score_K=np.array([0.25, 0.75], np.float32)
)
UNSURE = Prediction("d.wav", 3600.1, 3601.1, (("unknown", 0.5),), score_K=np.array([0.5, 0.5], np.float32))
EVENT = Prediction("d.wav", 61.5, 3663.5, (("dog", 0.9),), mean=0.8)
FAILED = [FailedSound("e.wav", "truncated")]


def written(name: str, *answers: Prediction, wording: Postprocessing | None = None, all_scores: bool = False) -> str:
    file = io.StringIO()
    writer = PREDICTION_WRITERS[name](file, wording or Postprocessing(top=2), LABELS, all_scores, top_hz=4000)
    writer.begin()
    for answer in answers:
        writer.write(answer)
    writer.end(FAILED)
    return file.getvalue()


def test_csv_has_as_many_columns_in_every_row():
    head, *rows = csv.reader(io.StringIO(written("csv", WHOLE, UNSURE, all_scores=True)))
    assert head == ["path", "start_s", "end_s", "label", "score", "label_2", "score_2", "p:dog", "p:cat"]
    assert rows[0] == [STRANGE, "0.000", "1.250", "cat", "0.750000", "dog", "0.250000", "0.250000", "0.750000"]
    assert rows[1] == ["d.wav", "3600.100", "3601.100", "unknown", "0.500000", "", "", "0.500000", "0.500000"]


def test_csv_of_events_has_their_mean():
    head, row = csv.reader(io.StringIO(written("csv", EVENT, wording=Postprocessing(events=EventRule()))))
    assert head == ["path", "start_s", "end_s", "label", "score", "mean"]
    assert row == ["d.wav", "61.500", "3663.500", "dog", "0.900000", "0.800000"]


def test_json_is_one_object_with_failures():
    told = json.loads(written("json", WHOLE, EVENT, all_scores=True))
    assert told["schema"] == 1
    assert told["failed"] == [{"path": "e.wav", "reason": "truncated"}]
    assert told["results"][0]["path"] == STRANGE
    assert told["results"][0]["labels"] == {"cat": 0.75, "dog": 0.25}
    assert told["results"][0]["scores"] == {"dog": 0.25, "cat": 0.75}
    assert told["results"][1] == {
        "path": "d.wav",
        "start_s": 61.5,
        "end_s": 3663.5,
        "label": "dog",
        "score": 0.9,
        "mean": 0.8,
    }
    assert json.loads(written("json"))["results"] == []


def test_a_label_track_is_times_and_a_label_between_tabs():
    assert written("audacity", EVENT) == "61.500000\t3663.500000\tdog 0.90\n"


def test_a_selection_table_of_raven_has_a_row_for_each_label(tmp_path: Path):
    name = (tmp_path / "e.wav").as_posix()
    Path(name).touch()
    both = Prediction(name, 0.1234567, 2, (("dog", 0.9), ("cat", 0.8)))
    head, *rows = csv.reader(io.StringIO(written("raven", EVENT, UNSURE, both)), delimiter="\t")
    assert head[:7] == [
        *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"),
    ]
    assert head[7:] == ["Begin Path", "Begin File", "Species", "Score"]
    assert rows == [
        ["1", "Spectrogram 1", "1", "61.500000", "3663.500000", "0.0", "4000.0", "d.wav", "d.wav", "dog", "0.900000"],
        ["2", "Spectrogram 1", "1", "0.123457", "2.000000", "0.0", "4000.0", name, "e.wav", "dog", "0.900000"],
        ["3", "Spectrogram 1", "1", "0.123457", "2.000000", "0.0", "4000.0", name, "e.wav", "cat", "0.800000"],
    ]


def test_a_selection_table_is_read_back_with_times_within_a_sample(tmp_path: Path):
    starts = [place / 44100 for place in (1, 44101, 10_000_003)]
    events = [Prediction(STRANGE, start, start + 1 / 3, (('a "b"', 0.9),), mean=0.8) for start in starts]
    for name in (STRANGE, "d.wav"):
        (tmp_path / name).touch()
    table = tmp_path / "found.selections.txt"
    table.write_text(written("raven", *events, EVENT), encoding="utf-8")
    first, second = read_annotations(table, lambda folder: sorted(folder.glob("*.wav")))
    assert [first.path.name, second.path.name] == [STRANGE, "d.wav"]
    assert [event.label for event in first.events] == ['a "b"'] * 3
    for event, start in zip(first.events, starts, strict=True):
        assert abs(event.start_s - start) < 1 / 44100
        assert abs(event.end_s - start - 1 / 3) < 1 / 44100
    assert second.events == (Annotation("dog", 61.5, 3663.5),)


def test_the_table_names_a_sound_once():
    text = written("table", UNSURE, EVENT)
    assert text.splitlines() == [
        "d.wav:",
        "  1:00:00.1  1:00:01.1  unknown 0.50",
        "  0:01:01.5  1:01:03.5  dog  peak 0.90  mean 0.80",
    ]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0:00:00.0"), (59.96, "0:01:00.0"), (3599.94, "0:59:59.9"), (36000, "10:00:00.0")]
)
def test_the_clock(seconds, told):
    assert clock(seconds) == told


def test_an_output_that_fails_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "out.csv"
    path.write_text("before")

    def fail() -> None:
        with open_output(path) as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


def test_names_that_are_no_text_come_out_as_their_bytes(tmp_path: Path):
    with open_output(tmp_path / "out.csv") as file:
        file.write("caf\udce9.wav\n")
    assert (tmp_path / "out.csv").read_bytes() == b"caf\xe9.wav\n"
