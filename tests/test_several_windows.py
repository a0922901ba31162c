"""Sounds of several windows: evaluation, prediction, the demo and exported files give one sound one score."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import audiosurvey

RATE, WINDOWS = 8000, 8
CLASSES = {"high": 2500, "low": 300, "mid": 900}


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of eight windows: five sound as their class, three as other ones, so that windows are often wrong and
    clips hardly ever."""
    root = tmp_path_factory.mktemp("mixtures")
    rng = np.random.default_rng(0)
    seconds = np.arange(RATE // 2) / RATE
    for name in CLASSES:
        (root / name).mkdir()
        others = [other for other in CLASSES if other != name]
        for number in range(12):
            heard = rng.permutation([name] * 5 + [*others, rng.choice(others)])
            tones = [0.3 * np.sin(2 * np.pi * CLASSES[str(one)] * seconds + number) for one in heard]
            wave = np.concatenate(tones)
            soundfile.write(root / name / f"{number:02}.wav", wave + 0.05 * rng.standard_normal(len(wave)), RATE)
    return root


@pytest.fixture(scope="module")
def run(mixtures: Path, train_tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one fold on them with a final model, which is calibrated on what the fold's model said."""
    folder = tmp_path_factory.mktemp("several")
    dataset = f"dataset={{name: folder, root: '{mixtures.as_posix()}', num_folds: 3, clip_seconds: 0.5}}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "run", dataset, "train.epochs=8", "protocol.test_every=0", folds=[1], final=True)
    return folder / "run"


def softened(scores_NK: np.ndarray, temperature: float) -> np.ndarray:
    power_NK = scores_NK.astype(np.float64) ** (1 / temperature)
    return power_NK / power_NK.sum(axis=1, keepdims=True)


def predicted(command: Callable[..., Any], model: Path, *words: object) -> dict[str, np.ndarray]:
    """The scores of every file, by its name, from the command line."""
    status, out, _ = command("predict", model, *words, "--format", "csv", "--scores")
    assert status == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    return {row["path"]: np.array([float(row[f"p:{name}"]) for name in CLASSES]) for row in rows}


def evaluated(run: Path, mixtures: Path) -> dict[str, np.ndarray]:
    """The uncalibrated scores of the tested clips, from predictions.csv."""
    rows = csv.DictReader((run / "fold-1" / "predictions.csv").open(encoding="utf-8"))
    return {str(mixtures / row["clip"]): np.array([float(row[f"p:{name}"]) for name in CLASSES]) for row in rows}


def test_predict_says_what_evaluate_says_of_the_same_files(command, run: Path, mixtures: Path):
    """Of a fold's model, uncalibrated here, and of the final one, whose temperatures are not 1."""
    model = run / "fold-1" / "model"
    of_fold, expected = predicted(command, model, mixtures), evaluated(run, mixtures)
    assert len(expected) == 12
    for path, score_K in expected.items():
        np.testing.assert_allclose(of_fold[path], score_K, atol=2e-6)
    _, out, _ = command("evaluate", run / "model", "--data", mixtures, "--json")
    accuracy = json.loads(out)["metrics"]["accuracy"]
    said = predicted(command, run / "model", mixtures)
    right = [sorted(CLASSES)[int(score_K.argmax())] == Path(path).parent.name for path, score_K in said.items()]
    assert len(right) == 36
    assert np.mean(right) == pytest.approx(accuracy)


def test_the_class_that_wins_uncalibrated_wins_calibrated(run: Path, mixtures: Path):
    model: Any = audiosurvey.load(run)
    assert model.temperature > model.sound_temperature
    for path in sorted(mixtures.rglob("*.wav")):
        windows_WS = model.windows(model.decoded(path))
        assert len(windows_WS) == WINDOWS
        mean_K = model.uncalibrated(windows_WS).mean(axis=0, dtype=np.float64)
        found = model.predict(path)
        expected_K = softened(mean_K[None], model.sound_temperature)[0]
        np.testing.assert_allclose([found[label] for label in model.labels], expected_K, atol=1e-6)
        assert next(iter(found)) == model.labels[int(mean_K.argmax())]


def test_the_error_stated_is_the_error_of_what_is_predicted(command, run: Path, mixtures: Path):
    """The final model's temperature, on the clips that it was fitted on, as the fold's model scored them."""
    from audiosurvey.artefact.calibration import fit_temperature
    from audiosurvey.training.metrics import expected_calibration_error

    facts = json.loads((run / "model" / "model.json").read_text(encoding="utf-8"))
    scores = evaluated(run, mixtures)
    truth_NK = np.eye(3)[[sorted(CLASSES).index(Path(path).parent.name) for path in scores]]
    scores_NK = np.stack(list(scores.values())).astype(np.float32)
    assert facts["calibration"]["sound_temperature"] == pytest.approx(fit_temperature(scores_NK, truth_NK, False))
    stated = facts["calibration"]["expected_error"]
    assert stated["before"] == pytest.approx(expected_calibration_error(scores_NK, truth_NK, False), abs=1e-6)
    after_NK = softened(scores_NK, facts["calibration"]["sound_temperature"])
    assert stated["after"] == pytest.approx(expected_calibration_error(after_NK, truth_NK, False), abs=1e-6)


def test_windows_as_answers_have_the_temperature_of_windows(command, run: Path, mixtures: Path):
    model: Any = audiosurvey.load(run)
    path = mixtures / "low" / "00.wav"
    _, out, _ = command("predict", run, path, "--window", 0.5, "--format", "csv", "--scores")
    rows = list(csv.DictReader(io.StringIO(out)))
    windows_WS = model.windows(model.decoded(path))
    said_WK = np.array([[float(row[f"p:{label}"]) for label in model.labels] for row in rows])
    np.testing.assert_allclose(said_WK, model.scores(windows_WS), atol=1e-4)
    # A sound of one window is a window too.
    alone = model.predict(windows_WS[0])
    np.testing.assert_allclose([alone[label] for label in model.labels], model.scores(windows_WS[0])[0], atol=1e-5)
    # A window of the whole sound is a mean of several of the model's.
    _, out, _ = command("predict", run, path, "--window", 4, "--format", "csv", "--scores")
    (row,) = csv.DictReader(io.StringIO(out))
    whole = model.predict(path)
    assert {label: float(row[f"p:{label}"]) for label in model.labels} == pytest.approx(whole, abs=1e-6)


def test_demo_exports_and_every_mode_of_predict_agree(command, run: Path, mixtures: Path, tmp_path: Path):
    from audiosurvey.artefact.exported import ExportedModel
    from audiosurvey.demo.sound_analysis import UploadLimits, analyse_sound
    from audiosurvey.exporting.graph import Scorer, exported_facts

    model: Any = audiosurvey.load(run)
    path = mixtures / "mid" / "03.wav"
    expected = model.predict(path)
    shown = analyse_sound(path, model, limits=UploadLimits(), threshold=model.own_threshold)
    assert shown.scores == pytest.approx(expected, abs=1e-6)
    assert [shown.answer] == model.decide(path)
    (whole,) = predicted(command, run, path, "--whole").values()
    np.testing.assert_allclose(whole, [expected[label] for label in model.labels], atol=1e-6)
    _, out, _ = command("predict", run, path, "--threshold", "model", "--format", "json")
    assert [json.loads(out)["results"][0]["label"]] == model.decide(path)
    exported = ExportedModel(
        exported_facts(model, 1, None), lambda wave_BS: Scorer(model)(torch.from_numpy(wave_BS)).numpy()
    )
    assert exported.predict(path) == pytest.approx(expected, abs=1e-5)
    assert list(exported.predict(path)) == list(expected)
    assert exported.decide(path) == model.decide(path)


def test_a_model_of_an_older_version_has_one_temperature(run: Path, tmp_path: Path, mixtures: Path):
    from audiosurvey.artefact.folder import _digest

    folder = shutil.copytree(run / "model", tmp_path / "model")
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    del facts["calibration"]["sound_temperature"], facts["calibration"]["window_error"], facts["sound_thresholds"]
    facts["sha256"]["model.json"] = _digest(facts)
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    old, new = audiosurvey.load(folder), audiosurvey.load(run)
    assert (old.temperature, old.sound_temperature) == (new.temperature, new.temperature)
    assert old.sound_thresholds == new.thresholds
    path = mixtures / "high" / "01.wav"
    assert list(old.predict(path)) == list(new.predict(path))
