"""What an array of samples means, for every way into a model from Python."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiosurvey.artefact.arrays import rate_of, several, wave_of, waves_of
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.folder import Model
from audiosurvey.errors import UserError

RATE = 8000


@pytest.fixture(scope="module")
def model(model_of: Callable[..., Model]) -> Model:
    return model_of("tiny", "dataset.clip_seconds=0.5", "sample_rate=8000", "mel_spectrogram.f_max=4000")


def stereo(seconds: float = 0.5) -> np.ndarray:
    """(S, 2), as soundfile gives it: two tones."""
    time_S = np.arange(round(RATE * seconds)) / RATE
    tones_SC = np.stack([np.sin(2 * np.pi * 300 * time_S), np.sin(2 * np.pi * 900 * time_S)], axis=1)
    return (0.3 * tones_SC).astype(np.float32)


def test_samples_by_channels_are_one_sound(model: Model, tmp_path: Path):
    wave_SC = stereo()
    soundfile.write(tmp_path / "two.wav", wave_SC, RATE, subtype="FLOAT")
    read_SC, rate = soundfile.read(tmp_path / "two.wav")
    wanted = model.predict(tmp_path / "two.wav")
    assert model.predict(read_SC, rate) == pytest.approx(wanted, abs=1e-5)
    assert model.predict([read_SC, str(tmp_path / "two.wav")], rate)[0] == pytest.approx(wanted, abs=1e-5)
    column_S1, _ = soundfile.read(tmp_path / "two.wav", always_2d=True)
    assert model.predict(column_S1[:, :1]) == model.predict(column_S1[:, 0])


def test_every_way_in_agrees_on_what_an_array_is(model: Model):
    wave_SC = stereo()
    mean_S = wave_SC.mean(axis=1)
    for way in (model.scores, model.logits):
        np.testing.assert_allclose(way(wave_SC), way(mean_S), atol=1e-5)
        pcm_S = np.round(mean_S * 32768).astype(np.int16)
        np.testing.assert_allclose(way(pcm_S), way((pcm_S / 32768).astype(np.float32)), atol=1e-5)
        assert way(np.stack([mean_S, mean_S])).shape == (2, 5)
    np.testing.assert_allclose(model.embed(wave_SC), model.embed(mean_S), atol=1e-5)
    assert model.embed(np.stack([mean_S, mean_S])).shape[0] == 2


def test_the_way_to_mono_is_the_models():
    wave_SC = np.stack([np.full(100, 0.1), np.full(100, 0.5)], axis=1)
    for mono, level in (("mean", 0.3), ("left", 0.1), ("loudest", 0.5)):
        np.testing.assert_allclose(wave_of(wave_SC, mono), np.full(100, level), atol=1e-6)


@pytest.mark.parametrize("rate", [48000, 48000.0, np.float32(48000), np.int64(48000)])
def test_a_rate_may_be_a_whole_float(model: Model, rate):
    assert rate_of(rate) == 48000
    assert model.predict(stereo()[:, 0], rate) == model.predict(stereo()[:, 0], 48000)


@pytest.mark.parametrize("rate", [0, -1, 44100.5, float("nan"), float("inf"), "48000", True, [48000]])
def test_other_rates_are_one_line(model: Model, rate):
    with pytest.raises(UserError, match=r"sample_rate: .*expected the rate") as error:
        model.predict(stereo(), rate)
    assert len(error.value.lines) == 1


@pytest.mark.parametrize("form", [list, tuple, np.asarray, torch.tensor, lambda x: torch.tensor(x).double()])
def test_samples_may_be_a_list_or_a_tensor(model: Model, form):
    samples = [0.25, -0.5, 0.125, 0.0] * 1000
    assert model.predict(form(samples)) == pytest.approx(model.predict(np.array(samples)), abs=1e-5)
    assert np.shape(model.scores(form(samples))) == (1, 5)


def test_tensors_with_gradients_and_bfloat16():
    wanted = np.array([0.25, -0.5, 0.125], np.float32)
    np.testing.assert_array_equal(wave_of(torch.tensor(wanted, requires_grad=True), "mean"), wanted)
    np.testing.assert_array_equal(wave_of(torch.tensor(wanted).bfloat16(), "mean"), wanted)


def test_integers_are_pcm():
    for dtype, low, middle in ((np.int16, -32768, 0), (np.int32, -(2**31), 0), (np.uint8, 0, 128), (np.int8, -128, 0)):
        np.testing.assert_array_equal(wave_of(np.array([low, middle], dtype), "mean"), [-1, 0])


@pytest.mark.parametrize(
    ("sound", "wrong"),
    [
        (np.zeros(()), "shape ()"),
        (0.5, "shape ()"),
        (np.zeros(0), "no samples"),
        (np.zeros((0, 2)), "no samples"),
        (np.zeros(1), "one sample"),
        (np.zeros((1, 1)), "too few samples per row"),
        (np.zeros((2, 2)), "shape (2, 2)"),
        (np.zeros((2, 3, 4000)), "shape (2, 3, 4000)"),
        (np.full(4000, np.nan), "not numbers"),
        (np.full((4000, 2), np.inf), "not numbers"),
        (np.full(4000, 1e300), "not numbers"),
        (np.full(4000, 1e29), "full scale is 1"),
        (np.zeros(4000, np.int64), "int64 samples have no defined full scale"),
        (np.zeros(4000, bool), "not samples"),
        (np.zeros(4000, complex), "not samples"),
        (np.array(["a", "b"]), "not samples"),
        (None, "shape ()"),
        ({"a": 1}, "shape ()"),
    ],
)
def test_what_is_no_sound_is_one_line_everywhere(model: Model, sound, wrong):
    for way in (model.predict, model.embed, model.scores, model.logits):
        with pytest.raises(UserError) as error:
            way(sound)
        assert wrong in error.value.lines[0]
        assert len(error.value.lines) == 1


def test_one_sample_is_refused_at_every_rate(model: Model):
    for rate in (None, 8000, 192000, 100):
        with pytest.raises(UserError, match="one sample"):
            model.predict(np.zeros(1), rate)
    with pytest.raises(UserError, match="too short"):
        model.predict(np.zeros(3), 192000)


def test_rows_of_different_lengths(model: Model):
    ragged = [[0.1] * 4000, [0.2] * 3000]
    assert len(model.predict(ragged)) == 2
    with pytest.raises(UserError, match="differ in length"):
        model.scores(ragged)


def test_no_sounds_give_no_answers(model: Model):
    assert several([]) == ([], False)
    assert model.predict(np.zeros((0, 4000))) == []
    assert waves_of(np.zeros((0, 4000)), "mean").shape == (0, 4000)


def test_labels_of_a_model_have_composed_accents():
    class Named(Classifier):
        def scores(self, wave):
            return np.zeros((1, 2), np.float32)

    facts = {"labels": ["cafe\u0301", "dog"], "sample_rate": 8000, "clip_samples": 4000, "mono": "mean", "pad": "zeros"}
    model = Named(facts | {"thresholds": {"cafe\u0301": 0.4}})
    assert model.labels == ["caf\u00e9", "dog"]
    assert model.thresholds == {"caf\u00e9": 0.4}
    assert set(model.predict(np.zeros(4000))) == {"caf\u00e9", "dog"}
