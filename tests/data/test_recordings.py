"""A folder of recordings as a store: what is left out, and which of them are clips."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.recordings import open_recordings
from audiosurvey.data.store.store import prepare
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError

RATE = 8000


def noise(seed: int, seconds: float = 0.5) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rain" / "far").mkdir(parents=True)
    soundfile.write(tmp_path / "rain" / "b.wav", noise(1), RATE)
    soundfile.write(tmp_path / "rain" / "far" / "a.flac", noise(2), 2 * RATE)
    (tmp_path / "rain" / "readme.txt").write_text("not a sound")
    return tmp_path / "rain"


def test_all_sounds_below_the_folder_at_one_rate(folder: Path) -> None:
    found = open_recordings(folder, "key", sample_rate=RATE)
    assert found.names == ("b.wav", "far/a.flac")
    assert [found.store.length(name) for name in found.names] == [4000, 2000]
    assert found.notes() == []
    assert open_recordings(folder, "key", sample_rate=RATE).store.folder == found.store.folder


def test_what_cannot_be_used_is_counted_and_named(folder: Path) -> None:
    (folder / "bad.wav").write_bytes(b"RIFF but no more")
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    found = open_recordings(folder, "key", sample_rate=RATE)
    assert found.names == ("b.wav", "far/a.flac")
    (note,) = found.notes()
    assert note.startswith(f"2 of 4 files in {folder.as_posix()} are left out (bad.wav: ")
    assert note.endswith("silent.wav: contains only silence)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "key: .*: no such folder; expected a folder of recordings"),
        ({}, "key: .*: no sound files in this folder"),
        ({"a.wav": b"no sound"}, "key: .*: none of its 1 clips can be read"),
    ],
)
def test_nothing_to_read_is_one_line(tmp_path: Path, content: dict[str, bytes] | None, said: str) -> None:
    if content is not None:
        (tmp_path / "x").mkdir()
        for name, data in content.items():
            (tmp_path / "x" / name).write_bytes(data)
    with pytest.raises(UserError, match=said) as error:
        open_recordings(tmp_path / "x", "key", sample_rate=RATE)
    assert len(error.value.lines) == 1


def test_only_silence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    soundfile.write(tmp_path / "x" / "a.wav", np.zeros(RATE), RATE)
    with pytest.raises(UserError, match="contains only silence"):
        open_recordings(tmp_path / "x", "key", sample_rate=RATE)


def test_the_hash_tells_of_contents_and_names(folder: Path) -> None:
    before = open_recordings(folder, "key", sample_rate=RATE).hash
    assert open_recordings(folder, "key", sample_rate=2 * RATE).hash == before
    soundfile.write(folder / "b.wav", noise(3), RATE)
    after = open_recordings(folder, "key", sample_rate=RATE).hash
    (folder / "b.wav").rename(folder / "c.wav")
    assert len({before, after, open_recordings(folder, "key", sample_rate=RATE).hash}) == 3


def test_clips_are_found_by_file_and_by_samples(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    soundfile.write(tmp_path / "set" / "other.wav", noise(9), RATE)
    (tmp_path / "set" / "copy.flac").write_bytes((folder / "far" / "a.flac").read_bytes())
    x_S, _ = soundfile.read(folder / "b.wav", dtype="int16")
    soundfile.write(tmp_path / "set" / "same-samples.flac", x_S, RATE)
    recordings = open_recordings(folder, "key", sample_rate=RATE)

    def shared(*clips: Clip) -> list[str]:
        return recordings.shared_with(prepare(Table("own", tmp_path, ("x",), clips), sample_rate=RATE, mono="mean"))

    other, copy, same = (
        Clip(name, tmp_path / "set" / name, (0,)) for name in ("other.wav", "copy.flac", "same-samples.flac")
    )
    part = Clip("copy.flac#0-0.1", copy.path, (0,), start_s=0, end_s=0.1)
    assert shared(other) == []
    assert shared(other, copy) == shared(other, part) == ["far/a.flac"]
    assert shared(other, copy, same) == ["b.wav", "far/a.flac"]
