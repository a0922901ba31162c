"""What the demo finds out about a sound: the numbers of `predict`, and pictures that are no larger than a screen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import audiosurvey
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.folder import Model
from audiosurvey.demo.sound_analysis import COLUMNS, UploadLimits, analyse_sound, outline, spectrogram
from audiosurvey.errors import UserError
from audiosurvey.features.mel import MelConfig, MelFrontEnd


@pytest.fixture(scope="module")
def model(finished_run: Path) -> Model:
    loaded = audiosurvey.load(finished_run / "fold-1" / "model")
    assert isinstance(loaded, Model)
    return loaded


def tone(seconds: float, hertz: float, rate: int = 8000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_a_short_sound_scores_as_predict_and_shows_no_course(model: Model, tones: Path):
    heard = analyse_sound(tones / "noise" / "1.wav", model, limits=UploadLimits())
    assert heard.scores == pytest.approx(model.predict(tones / "noise" / "1.wav"), abs=1e-6)
    assert heard.answer == next(iter(heard.scores))
    assert heard.over_time == ()
    assert heard.seconds == 0.5
    assert heard.own_front_end


def test_a_long_sound_scores_as_predict_and_shows_its_course(model: Model, tmp_path: Path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.concatenate([tone(3, 300, 44100), tone(3, 2500, 44100)]), 44100)
    heard = analyse_sound(path, model, limits=UploadLimits())
    assert heard.scores == pytest.approx(model.predict(path), abs=1e-6)
    starts = [window.start_s for window in heard.over_time]
    assert starts[:3] == [0, 0.25, 0.5]
    assert heard.over_time[-1].end_s == pytest.approx(6, abs=1e-3)
    # The halves sound different to the model.
    high = heard.labels.index("high")
    assert heard.over_time[-1].score_K[high] > heard.over_time[0].score_K[high]


def test_a_very_long_sound_has_a_bounded_number_of_windows_and_columns(model: Model, tmp_path: Path):
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(300, 900), 8000)
    heard = analyse_sound(path, model, limits=UploadLimits())
    assert 100 < len(heard.over_time) <= 241
    assert heard.outline_C2.shape == (COLUMNS, 2)
    assert heard.mel_TF.shape == (COLUMNS, 16)


def test_the_threshold_decides_what_is_unknown(model: Model, tones: Path):
    path = tones / "noise" / "1.wav"
    assert analyse_sound(path, model, limits=UploadLimits(), threshold=1.0).answer == "unknown"
    assert analyse_sound(path, model, limits=UploadLimits(), threshold=0.0).answer != "unknown"


class Said(Classifier):
    """A model whose windows are all scored alike."""

    def __init__(self, like: Classifier, score_K: list[float], **facts: Any) -> None:
        super().__init__(like.facts | facts, binary=False)
        self.score_K = score_K

    def scores(self, wave: Any) -> np.ndarray:
        return np.tile(np.array(self.score_K, np.float32), (len(wave), 1))


def test_the_answer_is_the_best_class_or_unknown_and_never_a_lower_bar(model: Model, tones: Path):
    own = {"high": 0.6, "low": 0.1, "mid": 0.1, "noise": 0.001}
    said = Said(model, [0.5, 0.3, 0.15, 0.05], thresholds=own)
    path = tones / "noise" / "1.wav"
    assert analyse_sound(path, said, limits=UploadLimits(), threshold=said.own_threshold).answer == "unknown"
    assert analyse_sound(path, said, limits=UploadLimits(), threshold=own | {"high": 0.5}).answer == "high"
    assert analyse_sound(path, said, limits=UploadLimits()).answer == "high"


def test_several_labels_are_all_that_reach_their_threshold(model: Model, tones: Path):
    said = Said(model, [0.9, 0.6, 0.2, 0.0], multi_label=True)
    path = tones / "noise" / "1.wav"
    for threshold, answer in {None: "high, low", 0.7: "high", 0.95: "unknown"}.items():
        assert analyse_sound(path, said, limits=UploadLimits(), threshold=threshold).answer == answer
    own = {"high": 0.95, "mid": 0.1, "noise": 0.5}
    # A label without a threshold needs 0.5.
    assert analyse_sound(path, said, limits=UploadLimits(), threshold=own).answer == "low, mid"


def test_too_long_too_large_and_unreadable_are_told_by_name(model: Model, tmp_path: Path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, tone(61, 300), 8000)
    with pytest.raises(UserError, match=r"^sound\.wav: too long; the limit is 1 minute of sound$"):
        analyse_sound(path, model, limits=UploadLimits(minutes=1))
    with pytest.raises(UserError, match=r"^sound\.wav: 0\.976 MB; the limit is 0\.5 MB$"):
        analyse_sound(path, model, limits=UploadLimits(mb=0.5))
    # Two hours that are less than 15 kB: their header is enough.
    soundfile.write(path, np.zeros(7200), 1)
    with pytest.raises(UserError, match=r"^sound\.wav: too long"):
        analyse_sound(path, model, limits=UploadLimits(minutes=100))
    path.write_text("no sound")
    with pytest.raises(UserError, match=r"^sound\.wav: not a sound file"):
        analyse_sound(path, model, limits=UploadLimits())
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r"^sound\.wav: the file is empty"):
        analyse_sound(path, model, limits=UploadLimits())
    path.unlink()
    with pytest.raises(UserError, match=r"^sound\.wav: no longer available"):
        analyse_sound(path, model, limits=UploadLimits())


def test_the_outline_holds_every_peak():
    wave_S = np.zeros(100_000, np.float32)
    wave_S[12_345], wave_S[99_999] = 1, -1
    outline_C2 = outline(wave_S)
    assert outline_C2.shape == (COLUMNS, 2)
    assert outline_C2[123, 1] == 1
    assert outline_C2[-1, 0] == -1
    assert np.count_nonzero(outline_C2) == 2
    np.testing.assert_array_equal(outline(np.array([0.5, -0.5], np.float32)), [[0.5, 0.5], [-0.5, -0.5]])


def test_a_short_spectrogram_is_the_front_ends_own(model: Model):
    wave_S = tone(2, 900)
    front_end = MelFrontEnd(model.config.mel_spectrogram, model.sample_rate)
    whole_TF = front_end(torch.from_numpy(wave_S)[None])[0, 0].numpy()
    np.testing.assert_array_equal(spectrogram(front_end, wave_S), whole_TF)


@pytest.mark.parametrize("center", [True, False])
def test_a_long_spectrogram_keeps_its_times(center: bool):
    config = MelConfig(center=center, compression="db")
    wave_S = np.zeros(8000 * 100, np.float32)
    wave_S[8000 * 75 : 8000 * 75 + 400] = tone(0.05, 900)
    mel_TF = spectrogram(MelFrontEnd(config, 8000), wave_S)
    assert mel_TF.shape == (COLUMNS, 64)
    assert abs(int(mel_TF.max(axis=1).argmax()) / COLUMNS - 0.75) < 0.002


@pytest.mark.parametrize("pad_mode", ["reflect", "circular", "constant"])
def test_a_sound_of_one_sample_has_a_spectrogram(pad_mode: str):
    front_end = MelFrontEnd(MelConfig(n_mels=16, preemphasis=0.97, pad_mode=pad_mode), 8000)
    assert spectrogram(front_end, np.ones(1, np.float32)).shape[1] == 16


class Other(Classifier):
    """A model without a front end at hand, as exported files are."""

    def scores(self, wave: Any) -> np.ndarray:
        return np.full((len(wave), len(self.labels)), 0.25, np.float32)


def test_a_model_without_a_front_end_gets_a_general_picture(model: Model, tones: Path):
    heard = analyse_sound(tones / "mid" / "1.wav", Other(model.facts), limits=UploadLimits())
    assert not heard.own_front_end
    assert heard.mel_TF.shape[1] == heard.mel.n_mels == 64
    # 900 Hz lies between 0 and 4 kHz at 1 / 2.24 of the way in mel: HTK's 2595 log10(1 + f / 700).
    place = np.log10(1 + 900 / 700) / np.log10(1 + 4000 / 700)
    assert abs(heard.mel_TF.mean(axis=0).argmax() / 64 - place) < 0.03
