"""The sounds that the demo offers to begin with."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.folder import Model
from audiosurvey.demo.example_sounds import find_examples, golden_examples
from audiosurvey.errors import UserError


def test_class_folders_are_taken_in_turn(tones: Path):
    found = find_examples(tones).paths
    assert list(found)[:5] == ["high/0.wav", "low/0.wav", "mid/0.wav", "noise/0.wav", "high/1.wav"]
    assert len(found) == 12
    assert found["low/0.wav"] == tones / "low" / "0.wav"


def test_what_is_hidden_or_no_sound_is_left_out(tmp_path: Path):
    for name in (".hidden.wav", "notes.txt", "one.FLAC"):
        (tmp_path / name).touch()
    assert list(find_examples(tmp_path).paths) == ["one.FLAC"]


def test_a_folder_without_sounds_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="no sound files in it"):
        find_examples(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        find_examples(tmp_path / "nowhere")


def test_golden_clips_become_files_that_hold_the_same_sound(finished_run: Path, tmp_path: Path):
    model = audiosurvey.load(finished_run / "fold-1" / "model")
    assert isinstance(model, Model)
    assert model.golden is not None
    found = golden_examples(model, tmp_path)
    assert "training clips of the model" in found.title
    assert len(found.paths) == len(model.golden.clips) == 8
    for (name, path), wave_S, (label,) in zip(
        found.paths.items(), model.golden.wave_BS, model.golden.labels, strict=True
    ):
        assert name.startswith(label)
        written_S, rate = soundfile.read(path, dtype="float32")
        assert rate == model.sample_rate
        np.testing.assert_array_equal(written_S, wave_S)
