from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.profile import about, event_seconds, profile_data, quantile
from audiosurvey.data.splits.cut_names import PATTERN


def write(path: Path, seconds: float, rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate)), rate)


def profile(root: Path, **more: object):
    return profile_data(DatasetConfig.model_validate({"name": "folder", "root": root, **more}))


def test_lengths_rates_and_counts(tmp_path: Path):
    for number, seconds in enumerate((0.5, 0.25, 1)):
        write(tmp_path / "dog" / f"{number}.wav", seconds)
    write(tmp_path / "cat" / "a.wav", 2, 16_000)
    (tmp_path / "cat" / "broken.wav").write_bytes(b"RIFF")
    seen = profile(tmp_path)
    assert seen.counts == seen.recordings == {"cat": 2, "dog": 3}
    assert seen.seconds == (0.25, 0.5, 1, 2)
    assert seen.rates_hz == (8000, 8000, 8000, 16_000)
    assert (seen.divided, seen.multi_label, seen.source_pattern) == (False, False, None)
    assert about(seen) == "5 clips, 2 classes of 2 to 3 clips, 0.25 to 2 s, 8000 and 16000 Hz"


def test_a_stretch_is_as_long_as_its_row_says(tmp_path: Path):
    write(tmp_path / "long.wav", 20)
    rows = ["path,label,start,end,fold", "long.wav,a,0,0.5,1", "long.wav,b,1,3,2", "long.wav,a,15,,2"]
    (tmp_path / "clips.csv").write_text("\n".join(rows), encoding="utf-8")
    seen = profile(tmp_path, name="csv", table=tmp_path / "clips.csv")
    assert seen.seconds == (0.5, 2, 5)
    assert (seen.divided, seen.train_share) == (True, 0.5)


def test_sides_say_how_much_trains(tmp_path: Path):
    rows = ["path,label,split"]
    for number, side in enumerate(("train", "train", "train", "test")):
        write(tmp_path / f"{number}.wav", 1)
        rows.append(f"{number}.wav,{'ab'[number % 2]},{side}")
    (tmp_path / "clips.csv").write_text("\n".join(rows), encoding="utf-8")
    assert profile(tmp_path, name="csv", table=tmp_path / "clips.csv").train_share == 0.75


def test_names_of_cuts_suggest_a_pattern(tmp_path: Path):
    for label, sites in {"dog": ("park", "yard"), "cat": ("barn", "loft")}.items():
        for site in sites:
            for cut in (1, 2, 3):
                write(tmp_path / label / f"{site}_{cut:04d}.wav", 0.1)
    assert profile(tmp_path).source_pattern == PATTERN
    assert profile(tmp_path, source_pattern=PATTERN).recordings == {"dog": 2, "cat": 2}


def test_lengths_of_events(tmp_path: Path):
    write(tmp_path / "a.wav", 10)
    header = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies"
    rows = [header, "1\tSpectrogram 1\t1\t4\t6.5\t0\t100\towl", "2\tSpectrogram 1\t1\t1\t1.5\t0\t100\tcrow"]
    (tmp_path / "a.Table.1.selections.txt").write_text("\n".join(rows), encoding="utf-8")
    config = {"name": "raven", "root": tmp_path, "windows": {"seconds": 5}}
    assert event_seconds(DatasetConfig.model_validate(config)) == (0.5, 2.5)
    assert profile_data(DatasetConfig.model_validate(config)).cut


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.75, 3), (0.76, 4), (1, 4), (0.01, 1)])
def test_quantiles(share: float, value: float):
    assert quantile((1, 2, 3, 4), share) == value
