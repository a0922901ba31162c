"""The artefact: what it gives, that it is what was measured, and that a broken one is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

import audiosurvey
from audiosurvey.deploy.artefact import Model, find_model
from audiosurvey.errors import UserError
from audiosurvey.evaluation.predictions import read_predictions

LABELS = ["high", "low", "mid", "noise"]


@pytest.fixture(scope="module")
def folder(finished_run: Path) -> Path:
    return finished_run / "fold-1" / "model"


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    loaded = audiosurvey.load(folder)
    assert isinstance(loaded, Model)
    return loaded


def test_labels_and_rate(model: Model):
    assert model.labels == LABELS
    assert model.sample_rate == 8000
    assert model.facts["about"]["dataset"] == "folder"
    assert model.facts["about"]["fold"] == 1


def test_whole_clips_score_as_in_predictions_csv(model: Model, finished_run: Path, tones: Path):
    clips, _, scores_NK = read_predictions(finished_run / "fold-1" / "predictions.csv")
    for clip, score_K in zip(clips, scores_NK, strict=True):
        predicted = model.predict(tones / clip)
        np.testing.assert_allclose([predicted[label] for label in LABELS], score_K, atol=1e-5)
        assert max(predicted, key=predicted.__getitem__) == LABELS[score_K.argmax()]


def test_scores_come_highest_first_and_sum_to_one(model: Model, tones: Path):
    predicted = model.predict(tones / "noise" / "0.wav")
    values = list(predicted.values())
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)
    assert all(type(value) is float for value in values)


def test_every_form_of_a_sound_is_the_same_sound(model: Model, tones: Path):
    path = tones / "low" / "1.wav"
    pcm, _ = soundfile.read(path, dtype="int16")
    wave = (pcm / 32768).astype(np.float32)
    wanted = model.predict(path)
    unsigned = (np.asarray(pcm, np.int64) + 32768).astype(np.uint16)
    for form in (str(path), wave, wave.astype(np.float64), pcm, unsigned, torch.from_numpy(wave)):
        assert model.predict(form) == pytest.approx(wanted, abs=1e-5)
    several = model.predict([path, wave])
    assert [list(one) for one in several] == [list(wanted)] * 2
    assert model.predict(np.stack([wave, wave])) == [pytest.approx(wanted, abs=1e-5)] * 2
    assert model.predict([]) == []


def test_another_rate_is_resampled(model: Model, tones: Path):
    wave, _ = soundfile.read(tones / "mid" / "0.wav", dtype="float32")
    slower = soxr.resample(wave, 8000, 44100)
    predicted = model.predict(slower, sample_rate=44100)
    assert predicted == pytest.approx(model.predict(wave), abs=0.05)
    assert model.predict(wave, sample_rate=8000) == model.predict(wave)


def test_long_sounds_are_windowed_and_short_ones_padded(model: Model, tones: Path):
    wave, _ = soundfile.read(tones / "high" / "0.wav", dtype="float32")
    windows = np.stack([wave[:4000], np.roll(wave, 7)[:4000]])
    twice = model.predict(np.concatenate(list(windows)))
    mean = model.scores(windows).mean(axis=0)
    assert [twice[label] for label in LABELS] == pytest.approx(list(mean), abs=1e-4)
    short = np.concatenate([wave[:1000], np.zeros(3000, np.float32)])
    assert model.predict(wave[:1000]) == pytest.approx(model.predict(short), abs=1e-4)


def test_logits_and_scores_are_in_label_order(model: Model, tones: Path):
    wave, _ = soundfile.read(tones / "noise" / "0.wav", dtype="float32")
    logits_BK, scores_BK = model.logits(wave), model.scores(np.stack([wave, wave]))
    assert logits_BK.shape == (1, 4)
    assert scores_BK.shape == (2, 4)
    softmax = np.exp(logits_BK) / np.exp(logits_BK).sum()
    np.testing.assert_allclose(scores_BK[0], softmax[0], atol=1e-6)
    predicted = model.predict(wave)
    np.testing.assert_allclose(scores_BK[0], [predicted[label] for label in LABELS], atol=1e-6)
    # A whole input is one window, whatever its length.
    assert model.logits(np.concatenate([wave, wave])).shape == (1, 4)


def test_silence_has_scores(model: Model):
    assert sum(model.predict(np.zeros(4000)).values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("sound", "rate", "wrong"),
    [
        (np.zeros(0), None, "is a path or an array"),
        (np.zeros((2, 3, 4)), None, "is a path or an array"),
        (np.array(["a"]), None, "is a path or an array"),
        (np.full(100, np.nan), None, "not numbers"),
        (np.zeros(100), 0, "sample_rate: 0 Hz"),
        ("nowhere.wav", None, "nowhere.wav"),
    ],
)
def test_what_is_no_sound_is_one_line(model: Model, sound, rate, wrong):
    with pytest.raises(UserError, match=wrong) as error:
        model.predict(sound, rate)
    assert len(error.value.lines) == 1


def test_a_file_that_is_no_sound_is_named(model: Model, tmp_path):
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(UserError, match=r"text\.wav: "):
        model.predict(tmp_path / "text.wav")


def test_a_run_is_no_model_but_names_its_models(finished_run: Path):
    with pytest.raises(UserError, match=r"not a model; models here: .*fold-1/model, .*fold-2/model, .*fold-3/model$"):
        audiosurvey.load(finished_run)


def test_a_run_with_a_final_model_and_a_fold_stand_for_theirs(finished_run: Path, folder: Path, tmp_path):
    assert find_model(finished_run / "fold-1") == folder
    shutil.copytree(folder, tmp_path / "model")
    assert find_model(tmp_path) == tmp_path / "model"
    assert audiosurvey.load(tmp_path).labels == LABELS


@pytest.mark.parametrize("path", ["nowhere", "file.txt", ""])
def test_what_is_no_model_is_one_line(tmp_path, path):
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(UserError, match=r"not a model; expected a folder with a model\.json"):
        audiosurvey.load(tmp_path / path)


FILES = ["weights.safetensors", "config.yaml", "trained_on.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, tmp_path, name):
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(UserError, match=f"incomplete, {name} is missing"):
        audiosurvey.load(tmp_path / "model")


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_named(folder: Path, tmp_path, name):
    shutil.copytree(folder, tmp_path / "model")
    content = bytearray((tmp_path / "model" / name).read_bytes())
    content[-2] ^= 1
    (tmp_path / "model" / name).write_bytes(bytes(content))
    with pytest.raises(UserError, match=f"{name} was changed"):
        audiosurvey.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda facts: facts | {"labels": facts["labels"][::-1]}, "model.json was changed"),
        (lambda facts: facts | {"schema": 99}, "model of schema 99"),
        (lambda facts: {}, "not that of a model"),
        (lambda facts: [], "not that of a model"),
    ],
)
def test_changed_facts_are_refused(folder: Path, tmp_path, change, wrong):
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(facts)), encoding="utf-8")
    with pytest.raises(UserError, match=wrong) as error:
        audiosurvey.load(tmp_path / "model")
    assert len(error.value.lines) == 1


def test_half_a_file_of_facts_is_refused(folder: Path, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(UserError, match="not that of a model"):
        audiosurvey.load(tmp_path / "model")


def test_the_card_tells_data_licence_and_result(folder: Path):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for words in (
        "folder, 16 clips; fold 1 held out",
        "training data, folder: not stated",
        "high, low, mid, noise",
        "mono, 8000 Hz",
    ):
        assert words in card
    assert "not the official protocol" not in card


def test_trained_on_lists_the_training_clips_by_content(folder: Path, finished_run: Path):
    trained = json.loads((folder / "trained_on.json").read_text(encoding="utf-8"))
    tested, _, _ = read_predictions(finished_run / "fold-1" / "predictions.csv")
    assert len(trained) == 16
    assert not set(trained) & set(tested)
    assert len(set(trained.values())) == 16


@pytest.mark.parametrize("wave", [np.zeros(3), np.full(8000, np.nan), np.zeros((2, 2, 2))])
def test_waves_that_cannot_be_scored_are_one_line(finished_run, wave):
    with pytest.raises(UserError, match=r"too short|finite"):
        audiosurvey.load(finished_run / "fold-1" / "model").scores(wave)
