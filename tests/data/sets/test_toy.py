"""The toy set: the same bytes everywhere, learnable by a network, not by the mean spectrum."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audiosurvey.data.sets.toy import CLASSES, make_toy, read_toy
from audiosurvey.data.sets.toy_sounds import render
from audiosurvey.data.splits.folds import make_split
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError

DIGEST_OF_SEED_0 = "bd5bf92ffa5df719de6e3cc898aeceb4faa935d4732358982eadcfdf7ff4d915"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return read_toy(tmp_path_factory.mktemp("data") / "toy")


def digest(root: Path) -> str:
    sha = hashlib.sha256()
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        if path.is_file():
            sha.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()


def test_has_six_clips_a_class_and_fold(toy: Table):
    assert len(toy.clips) == 300
    assert toy.classes == CLASSES
    assert toy.folds == (1, 2, 3, 4, 5)
    assert set(Counter((clip.labels, clip.fold) for clip in toy.clips).values()) == {6}
    assert not toy.official
    assert toy.licence == "CC0"


def test_recordings_stay_in_their_fold_and_some_give_two_clips(toy: Table):
    assert Counter(Counter(clip.source for clip in toy.clips).values()) == {1: 200, 2: 50}
    for fold in toy.folds:
        split = make_split(toy, fold, "last")
        assert (len(split.train), len(split.test)) == (240, 60)


def test_files_are_one_second_of_16_bit_sound_that_does_not_clip(toy: Table):
    for clip in toy.clips[::17]:
        info = soundfile.info(clip.path)
        assert (info.frames, info.samplerate, info.channels, info.subtype) == (16000, 16000, 1, "PCM_16")
        wave_S, _ = soundfile.read(clip.path)
        assert 0.05 < np.abs(wave_S).max() < 0.9


def test_bytes_are_those_of_every_other_machine(toy: Table):
    assert digest(toy.root) == DIGEST_OF_SEED_0


def test_another_seed_gives_other_sounds():
    assert not np.array_equal(render("rise", 0, "t000", "A"), render("rise", 1, "t000", "A"))


def test_takes_of_one_recording_differ():
    assert not np.array_equal(render("even", 0, "t000", "A"), render("even", 0, "t000", "B"))


def test_the_mean_spectrum_does_not_give_the_class_away(toy: Table):
    filters_FN = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64)
    means = []
    for clip in toy.clips:
        wave_S, _ = soundfile.read(clip.path, dtype="float32")
        power_NT = np.abs(librosa.stft(wave_S, n_fft=512, hop_length=256)) ** 2
        means.append(np.log(filters_FN @ power_NT + 1e-6).mean(axis=1))
    mean_BF, label_B = np.array(means), np.array([clip.labels[0] for clip in toy.clips])
    fold_B = np.array([clip.fold for clip in toy.clips])
    right = 0
    for fold in toy.folds:
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        linear.fit(mean_BF[fold_B != fold], label_B[fold_B != fold])
        right += int((linear.predict(mean_BF[fold_B == fold]) == label_B[fold_B == fold]).sum())
    assert right / 300 < 0.6


def test_an_existing_set_is_left_alone(tmp_path: Path):
    read_toy(tmp_path / "toy")
    mark = tmp_path / "toy" / "meta" / "extra.txt"
    mark.write_text("kept")
    read_toy(tmp_path / "toy")
    assert mark.exists()


def test_an_old_or_incomplete_set_is_made_anew(tmp_path: Path, toy: Table):
    root = tmp_path / "toy"
    read_toy(root)
    (root / "meta" / "toy.json").write_text(json.dumps({"version": 0, "seed": 0}))
    read_toy(root)
    assert digest(root) == digest(toy.root)
    next((root / "audio").iterdir()).unlink()
    read_toy(root)
    assert digest(root) == digest(toy.root)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_an_empty_folder_is_filled(tmp_path: Path):
    make_toy(tmp_path)
    assert len(list((tmp_path / "audio").iterdir())) == 300


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="contains something other than the toy set"):
        read_toy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        read_toy(tmp_path / "file" / "toy")
