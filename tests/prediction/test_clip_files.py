"""Clips are cut to the sample, in a folder that is whole or not there, with a table that is a data set."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.sounds import prepare_sounds
from audiosurvey.prediction.clip_choice import ClipChoice
from audiosurvey.prediction.clip_files import LONGEST_S, WrittenClips, new_folder, write_clips
from audiosurvey.prediction.postprocessing import Prediction
from audiosurvey.prediction.sources import FileSource

RATE = 8000


def event(path: Path, label: str, start_s: float, end_s: float, score: float = 0.9) -> Prediction:
    return Prediction(str(path), start_s, end_s, ((label, score),), mean=score)


def write(folder: Path, predictions: Sequence[Prediction], per_label: int = 20) -> WrittenClips:
    choice = ClipChoice(per_label)
    for prediction in predictions:
        choice.add(prediction)
    sources = [FileSource(Path(name), name) for name in dict.fromkeys(one.name for one in predictions)]
    with new_folder(folder) as beside:
        return write_clips(beside, folder, choice, sources)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def record(path: Path, seconds: float, subtype: str = "PCM_16", channels: int = 1, seed: int = 0) -> np.ndarray:
    x_SC = np.random.default_rng(seed).uniform(-1, 1, (int(seconds * RATE), channels)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x_SC, RATE, subtype=subtype)
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize(
    ("name", "subtype", "written", "channels"),
    [("a.wav", "PCM_16", "PCM_16", 1), ("a.flac", "PCM_24", "FLOAT", 2), ("a.wav", "FLOAT", "FLOAT", 1)],
)
def test_clips_are_the_samples_of_the_recording(
    tmp_path: Path, name: str, subtype: str, written: str, channels: int
) -> None:
    """Overlapping ones too, over several blocks of decoding, with all channels at the rate of the recording."""
    x_SC = record(tmp_path / name, 30, subtype, channels)
    times = [(0.0, 2.5), (2.0, 21.123), (2.25, 2.75), (29.0, 30.0)]
    write(tmp_path / "clips", [event(tmp_path / name, "dog", *between) for between in times])
    rows = table(tmp_path / "clips")
    assert [(float(row["start_s"]), float(row["end_s"])) for row in rows] == times
    for row, (start_s, end_s) in zip(rows, times, strict=True):
        found_SC, rate = soundfile.read(tmp_path / "clips" / row["path"], dtype="float32", always_2d=True)
        assert (rate, soundfile.info(tmp_path / "clips" / row["path"]).subtype) == (RATE, written)
        np.testing.assert_array_equal(found_SC, x_SC[round(start_s * RATE) : round(end_s * RATE)])


def test_of_a_long_event_the_middle_is_cut_out(tmp_path: Path) -> None:
    x_SC = record(tmp_path / "a.wav", 100)
    write(tmp_path / "clips", [event(tmp_path / "a.wav", "rain", 10, 90)])
    (row,) = table(tmp_path / "clips")
    assert (row["path"], row["start_s"], row["end_s"]) == ("a_00h00m20.0s_rain_0.90.wav", "20.000", "80.000")
    found_SC = soundfile.read(tmp_path / "clips" / row["path"], dtype="float32", always_2d=True)[0]
    np.testing.assert_array_equal(found_SC, x_SC[20 * RATE : 80 * RATE])
    assert len(found_SC) == LONGEST_S * RATE


def test_the_table_is_a_data_set(tmp_path: Path) -> None:
    """Whatever labels are called; clips of one recording are never on both sides of a split."""
    labels = ["dog", "../up", "a|b", "\u0434\u044f\u0442\u0435\u043b", "it's", "['x']", 'say "so"', "comma, too"]
    found: list[Prediction] = []
    for number in range(3):
        recording = tmp_path / "field" / f"{number}.wav"
        record(recording, len(labels), seed=number)
        found += [event(recording, label, at, at + 1) for at, label in enumerate(labels)]
    write(tmp_path / "clips", found)
    sounds = prepare_sounds(DatasetConfig(name="csv", root=tmp_path / "clips", num_folds=3), RATE)
    assert set(sounds.table.classes) == set(labels)
    assert len(sounds.table.clips) == len(found)
    assert not sounds.table.multi_label
    by_fold = {(clip.fold, clip.source) for clip in sounds.table.clips}
    assert len(by_fold) == len({source for _, source in by_fold}) == 3
    assert not sounds.store.skipped
    note = "columns that are not read: recording, start_s, end_s, score"
    assert note in sounds.table.notes


def test_events_at_the_same_time_are_several_labels(tmp_path: Path) -> None:
    record(tmp_path / "a.wav", 20)
    path = tmp_path / "a.wav"
    write(tmp_path / "clips", [event(path, "rain", 0, 10), event(path, "bird", 4, 6), event(path, "dog", 12, 13)])
    found = load_table(DatasetConfig(name="csv", root=tmp_path / "clips", num_folds=2), divide=False)
    assert found.multi_label
    named = [tuple(found.classes[label] for label in clip.labels) for clip in found.clips]
    assert named == [("bird", "rain"), ("bird", "rain"), ("dog",)]


def test_a_recording_that_breaks_off_keeps_the_clips_before(tmp_path: Path) -> None:
    x_SC = record(tmp_path / "a.flac", 20)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) * 3 // 4])
    found = [event(tmp_path / "a.flac", "dog", 1, 2), event(tmp_path / "a.flac", "dog", 18, 19)]
    written = write(tmp_path / "clips", found)
    (row,) = table(tmp_path / "clips")
    kept_SC = soundfile.read(tmp_path / "clips" / row["path"], dtype="float32", always_2d=True)[0]
    np.testing.assert_array_equal(kept_SC, x_SC[RATE : 2 * RATE])
    (failure,) = written.failures
    assert failure.reason.startswith("no clips of it" if not written.num_clips else "not all clips of it")


def test_without_events_there_is_no_folder(tmp_path: Path) -> None:
    assert write(tmp_path / "clips", []).num_clips == 0
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / ".clips.tmp").mkdir()
    (tmp_path / ".clips.tmp" / "left.wav").touch()

    def broken() -> None:
        with new_folder(tmp_path / "clips") as beside:
            beside.mkdir()
            (beside / "one.wav").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list(tmp_path.iterdir()) == []
