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
from audiosurvey.artefact.classifier import BATCH_WINDOWS
from audiosurvey.artefact.folder import Model, _digest, _sha256, find_model, load_artefact
from audiosurvey.data.splits.provenance import Provenance, TrainedClip
from audiosurvey.errors import UserError
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.tensorfile import load_tensors, save_tensors

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


def test_long_sounds_are_windowed_and_short_ones_repeated(model: Model, tones: Path):
    wave, _ = soundfile.read(tones / "high" / "0.wav", dtype="float32")
    windows = np.stack([wave[:4000], np.roll(wave, 7)[:4000]])
    twice = model.predict(np.concatenate(list(windows)))
    mean = model.scores(windows).mean(axis=0)
    assert [twice[label] for label in LABELS] == pytest.approx(list(mean), abs=1e-4)
    assert model.predict(wave[:1000]) == pytest.approx(model.predict(np.tile(wave[:1000], 4)), abs=1e-4)


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
        (np.full(100, 1e29), None, r"up to 1e\+29"),
        (np.zeros(100), 0, "sample_rate: 0 Hz"),
        ("nowhere.wav", None, "nowhere.wav"),
    ],
)
def test_what_is_no_sound_is_one_line(model: Model, sound, rate, wrong):
    with pytest.raises(UserError, match=wrong) as error:
        model.predict(sound, rate)
    assert len(error.value.lines) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="that device is there")
@pytest.mark.parametrize("device", ["cuda", "gpu"])
def test_a_device_that_is_not_there_is_one_line(model: Model, device):
    with pytest.raises(UserError, match=f"^device {device}: not available on this machine; "):
        model.to(device)


def test_a_file_that_is_no_sound_is_named(model: Model, tmp_path):
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(UserError, match=r"text\.wav: "):
        model.predict(tmp_path / "text.wav")


def test_a_run_is_no_model_but_names_its_models(finished_run: Path):
    models = "has no final model; models of folds: .*fold-1/model, .*fold-2/model, .*fold-3/model; 'audiosurvey train"
    with pytest.raises(UserError, match=models):
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


FILES = ["weights.safetensors", "config.yaml", "trained_on.json", "golden.safetensors"]


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
        (lambda facts: {}, r"its model\.json is not valid"),
        (lambda facts: [], r"its model\.json is not valid"),
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


def sealed(folder: Path, **keys: object) -> None:
    """Puts keys into model.json and makes its checksums agree with the folder again."""
    path = folder / "model.json"
    facts = json.loads(path.read_text(encoding="utf-8")) | keys
    facts["sha256"] |= {name: _sha256(folder / name) for name in facts["sha256"] if name != "model.json"}
    facts["sha256"]["model.json"] = _digest(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")


def test_a_model_of_a_later_version_is_one_line(folder: Path, tmp_path):
    shutil.copytree(folder, tmp_path / "keys")
    config = tmp_path / "keys" / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("model:\n", "model:\n  warp: 2\n"), encoding="utf-8")
    sealed(tmp_path / "keys", version="9.8.7")
    shutil.copytree(folder, tmp_path / "tensors")
    weights = tmp_path / "tensors" / "weights.safetensors"
    save_tensors(weights, {f"more.{name}": tensor for name, tensor in load_tensors(weights)[0].items()})
    sealed(tmp_path / "tensors", version="9.8.7")
    for name, wrong in {"keys": r"config.yaml:\d+: model.warp: unknown key", "tensors": "weights do not fit"}.items():
        with pytest.raises(UserError, match=rf"{name}.*{wrong}.*use the version .* \(9.8.7\)") as error:
            audiosurvey.load(tmp_path / name)
        assert len(error.value.lines) == 1


def test_half_a_file_of_facts_is_refused(folder: Path, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(UserError, match=r"its model\.json is not valid"):
        audiosurvey.load(tmp_path / "model")


def test_a_model_of_the_version_before_loads_without_what_it_has_not(folder: Path, tones: Path, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    for name in ("calibration", "thresholds", "licence", "versions"):
        del facts[name]
    facts["schema"] = 1
    del facts["sha256"]["golden.safetensors"]
    facts["sha256"]["model.json"] = _digest(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")
    (tmp_path / "model" / "golden.safetensors").unlink()
    old = load_artefact(tmp_path / "model")
    assert (old.temperature, old.thresholds, old.golden) == (1.0, {}, None)
    sound = tones / "mid" / "2.wav"
    assert old.predict(sound) == audiosurvey.load(folder).predict(sound)


def test_a_model_that_tells_contents_alone_loads(folder: Path, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / "trained_on.json").write_text('{"a.wav": "12"}')
    path = tmp_path / "model" / "model.json"
    facts = json.loads(path.read_text(encoding="utf-8")) | {"schema": 2}
    facts["sha256"]["trained_on.json"] = _sha256(tmp_path / "model" / "trained_on.json")
    facts["sha256"]["model.json"] = _digest(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")
    assert load_artefact(tmp_path / "model").heard == Provenance({"a.wav": TrainedClip("12")})


def test_it_loads_where_there_is_no_training_data(train_tiny, tones: Path, tmp_path):
    shutil.copytree(tones, tmp_path / "sounds")
    root = f"dataset.root='{(tmp_path / 'sounds').as_posix()}'"
    train_tiny(tmp_path / "run", root, "train.epochs=1", folds=[1])
    wanted = audiosurvey.load(tmp_path / "run" / "fold-1").predict(tones / "low" / "0.wav")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "fold-1" / "model").rename(tmp_path / "elsewhere" / "m")
    shutil.rmtree(tmp_path / "sounds")
    shutil.rmtree(tmp_path / "run")
    assert audiosurvey.load(tmp_path / "elsewhere" / "m").predict(tones / "low" / "0.wav") == wanted


def test_nothing_in_the_folder_is_code(folder: Path):
    names = {path.name for path in folder.iterdir()}
    assert names == {*FILES, "model.json", "README.md"}


def test_the_facts_say_with_what_and_on_what_it_was_made(folder: Path, finished_run: Path):
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    results = json.loads((finished_run / "results.json").read_text(encoding="utf-8"))
    assert facts["versions"] == {
        "audiosurvey": audiosurvey.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }
    assert facts["about"]["data_hash"] == results["dataset"]["hash"]
    assert facts["about"]["selection"] == "last"
    assert facts["licence"] == {"weights": "not stated", "parts": {"training data, folder": None}}


def test_the_licence_of_the_sounds_binds_the_model(train_tiny, tmp_path):
    train_tiny(tmp_path, "dataset.licence=CC BY-NC 4.0", "train.epochs=1", folds=[1])
    facts = json.loads((tmp_path / "fold-1" / "model" / "model.json").read_text(encoding="utf-8"))
    assert facts["licence"]["weights"] == "CC BY-NC 4.0"
    card = (tmp_path / "fold-1" / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: cc-by-nc-4.0\n")
    assert "**Not for commercial use.**" in card
    # And a model that starts from it.
    (tmp_path / "second").mkdir()
    start = f"model.init='{(tmp_path / 'fold-1' / 'model').as_posix()}'"
    train_tiny(tmp_path / "second" / "run", start, "train.epochs=1", "protocol.allow_leakage=true", folds=[1])
    facts = json.loads((tmp_path / "second" / "run" / "fold-1" / "model" / "model.json").read_text(encoding="utf-8"))
    assert facts["licence"]["weights"] == "CC BY-NC 4.0"
    assert list(facts["licence"]["parts"].values()) == ["CC BY-NC 4.0", None]


def test_many_sounds_at_once_score_as_one_by_one(model: Model, tones: Path):
    # More windows than go through the network at once, and a long sound across the border of two batches.
    paths: list = sorted(tones.rglob("*.wav"))
    wave, _ = soundfile.read(paths[0], dtype="float32")
    paths[BATCH_WINDOWS - 2 : BATCH_WINDOWS - 2] = [np.tile(wave, 5)]
    together = model.predict(paths)
    for path, predicted in zip(paths, together, strict=True):
        assert predicted == pytest.approx(model.predict(path), abs=1e-5)


def test_the_network_never_gets_more_windows_than_a_batch(model: Model, monkeypatch):
    sizes: list[int] = []
    true_logits = Model.logits

    def logits(self: Model, wave):
        sizes.append(len(wave))
        return true_logits(self, wave)

    monkeypatch.setattr(Model, "logits", logits)
    model.predict([np.zeros(4000 * 30), np.zeros(4000)])
    assert sizes == [16, 15]


def test_one_bad_sound_of_many_is_named(model: Model, tones: Path):
    with pytest.raises(UserError, match=r"nowhere\.wav: "):
        model.predict([tones / "low" / "0.wav", "nowhere.wav"])


def test_embeddings_are_what_the_classifier_reads(model: Model, tones: Path):
    paths = [tones / "low" / "0.wav", tones / "noise" / "1.wav"]
    feature_N, feature_BN = model.embed(paths[0]), model.embed(paths)
    assert (feature_N.shape, feature_BN.shape, feature_BN.dtype) == ((8,), (2, 8), np.float32)
    np.testing.assert_allclose(feature_BN[0], feature_N, atol=1e-5)
    wave, _ = soundfile.read(paths[0], dtype="float32")
    layer = model.network.classifier
    logits_K = feature_N @ layer.weight.numpy().T + layer.bias.numpy()
    np.testing.assert_allclose(logits_K, model.logits(wave)[0], atol=1e-4)
    np.testing.assert_allclose(model.embed(np.stack([wave, wave])), [feature_N] * 2, atol=1e-5)
    np.testing.assert_allclose(model.embed(soxr.resample(wave, 8000, 8000), 8000), feature_N, atol=1e-4)
    assert model.embed([]).shape == (0, 8)
    # Those of a long sound are the mean over its windows.
    np.testing.assert_allclose(model.embed(np.tile(wave, 3)), feature_N, atol=1e-4)


def test_the_temperature_is_in_the_scores_and_not_in_the_logits(final_run: Path, tones: Path):
    final = load_artefact(final_run)
    wave, _ = soundfile.read(tones / "mid" / "1.wav", dtype="float32")
    assert final.temperature == final.facts["calibration"]["temperature"] != 1
    power_K = np.exp(final.logits(wave)[0].astype(np.float64) / final.temperature)
    np.testing.assert_allclose(final.scores(wave)[0], power_K / power_K.sum(), atol=1e-5)
    predicted = final.predict(wave)
    np.testing.assert_allclose([predicted[label] for label in LABELS], power_K / power_K.sum(), atol=1e-5)
    # A class that is the best one of no clip has no threshold.
    scored = [read_predictions(final_run / f"fold-{fold}" / "predictions.csv")[2] for fold in (1, 2, 3)]
    assert set(final.thresholds) == {LABELS[k] for k in np.concatenate(scored).argmax(axis=1)}
    assert all(0 <= threshold <= 1 for threshold in final.thresholds.values())


def test_the_card_tells_data_licence_and_result(folder: Path):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for words in (
        "folder, 16 clips; fold 1 held out",
        "training data, folder: not stated",
        "high, low, mid, noise",
        "mono, resampled to 8000 Hz",
    ):
        assert words in card
    assert "not the official protocol" not in card


def test_trained_on_lists_the_training_clips_by_content(folder: Path, finished_run: Path):
    trained = json.loads((folder / "trained_on.json").read_text(encoding="utf-8"))
    tested, _, _ = read_predictions(finished_run / "fold-1" / "predictions.csv")
    assert len(trained) == 16
    assert not set(trained) & set(tested)
    assert len({digest for digest, _, _ in trained.values()}) == 16


@pytest.mark.parametrize("wave", [np.zeros(3), np.full(8000, np.nan), np.zeros((2, 2, 2))])
def test_waves_that_cannot_be_scored_are_one_line(finished_run, wave):
    with pytest.raises(UserError, match=r"too short|finite|of shape"):
        audiosurvey.load(finished_run / "fold-1" / "model").scores(wave)


def test_a_run_without_models_and_a_survey_are_named(tmp_path: Path):
    run = tmp_path / "survey" / "runs" / "tiny-seed0"
    run.mkdir(parents=True)
    for name in ("results.json", "config.yaml"):
        (run / name).write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"a run whose models were not kept; 'audiosurvey train .* --resume --final'"):
        find_model(run)
    (run / "row.json").write_text("{}", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"not kept; 'audiosurvey survey .*survey --final ROW' trains one on all folds$"
    ):
        find_model(run)
    survey = tmp_path / "survey"
    (survey / "cells").mkdir()
    (survey / "plan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"a survey, not a model; it has no models; 'audiosurvey survey"):
        find_model(survey)
    (run / "model").mkdir()
    (run / "model" / "model.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"a survey, not a model; its models are in .*runs/tiny-seed0$"):
        find_model(survey)
