"""Sounds unlike the training clips are marked by everything that predicts."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.exported import ExportedModel
from audiosurvey.artefact.folder import load_artefact
from audiosurvey.artefact.training_range import TrainingRange
from audiosurvey.data.audio.measures import Measures
from audiosurvey.demo.sound_analysis import UploadLimits, analyse_sound
from audiosurvey.demo.view import sound_html
from audiosurvey.exporting.graph import exported_facts
from audiosurvey.prediction.events import EventRule
from audiosurvey.prediction.postprocessing import Postprocessing, Prediction, make_predictions
from audiosurvey.prediction.stream import WindowScores
from audiosurvey.prediction.window_scoring import WindowGroup
from audiosurvey.reporting.summary import print_evaluation
from audiosurvey.runs.evaluation.heldout import evaluate_model

RATE = 8000
SOFTER = "24 dB softer than the training clips"
SHORT = "0.1 s long; training clips lasted 0.5 s or more"


def sound(seconds: float = 0.5, gain: float = 1.0) -> np.ndarray:
    """The tone of the class `mid`, as loud as its clips, which have -13.5 dBFS."""
    rng = np.random.default_rng(5)
    samples = round(seconds * RATE)
    wave = 0.3 * np.sin(2 * np.pi * 900 * np.arange(samples) / RATE) + 0.02 * rng.standard_normal(samples)
    return (gain * wave).astype(np.float32)


@pytest.fixture(scope="module")
def folder(train_tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose training clips were not augmented."""
    run = tmp_path_factory.mktemp("plain") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(run.parent / "cache"))
        train_tiny(run, "augmentation={shorten: {p: 0}}", folds=[1])
    return run / "fold-1" / "model"


@pytest.fixture
def model(folder: Path) -> Classifier:
    return audiosurvey.load(folder)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Sounds as the training clips are, too soft, too short, silent, and a long one whose second half is silent."""
    (tmp_path / "in").mkdir()
    long = np.concatenate([np.tile(sound(), 64), np.zeros(32 * RATE, np.float32)])
    waves = {"fine": sound(), "soft": sound(gain=0.0575), "short": sound(0.1), "silent": np.zeros(4000), "long": long}
    for name, wave in waves.items():
        soundfile.write(tmp_path / "in" / f"{name}.wav", wave, RATE, subtype="FLOAT")
    return tmp_path / "in"


def test_a_trained_model_knows_its_training_clips(model: Classifier):
    assert model.training_range is not None
    assert model.training_range.clips >= 16
    assert model.training_range.level_db == pytest.approx((-14, -13.4), abs=0.3)
    assert model.notes(sound()) == []


def test_the_api_notes_one_sound_or_several(model: Classifier, sounds: Path):
    assert model.notes(sound(gain=0.0575)) == [SOFTER]
    assert model.notes(sounds / "soft.wav") == [SOFTER]
    assert model.notes([sound(), sound(0.1)]) == [[], [SHORT]]
    assert model.notes(sound(gain=0.0575)[::2].copy(), sample_rate=4000)[0] == SOFTER
    assert model.notes(np.zeros(4000)) == ["digital silence"]


def test_a_model_of_an_older_version_has_no_notes(folder: Path, tmp_path: Path):
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    model = load_artefact(folder)
    del facts["training_range"]
    old = type(model)(model.config, facts, model.network.state_dict(), model.heard)
    assert old.training_range is None
    assert old.notes(np.zeros(4000)) == []
    assert old.notes([np.zeros(4000), sound()]) == [[], []]


def test_windows_shorter_than_the_training_clips_are_no_fault_of_the_recording(command, folder: Path, sounds: Path):
    _, out, _ = command("predict", folder, sounds / "long.wav", "--format", "csv", "--window", "0.1")
    assert len(out.splitlines()) > 2
    assert SHORT not in out


def test_the_csv_has_a_column_and_stderr_a_count(command, folder: Path, sounds: Path):
    (sounds / "long.wav").unlink()
    status, out, err = command("predict", folder, sounds, "--format", "csv", "--scores")
    notes = {Path(row["path"]).stem: row["note"] for row in csv.DictReader(io.StringIO(out))}
    assert status == 0
    assert notes == {
        "fine": "",
        "short": SHORT,
        "silent": "digital silence",
        "soft": SOFTER,
    }
    assert "3 of 4 sounds are outside the range of the training clips" in err


def test_each_window_has_its_own_note(command, folder: Path, sounds: Path):
    _, out, err = command("predict", folder, sounds / "long.wav", "--format", "csv")
    notes = [row["note"] for row in csv.DictReader(io.StringIO(out))]
    assert len(notes) == 128
    assert set(notes[:64]) == {""}
    assert set(notes[64:]) == {"digital silence"}
    assert "1 of 1 sounds (64 of 128 predictions) are outside" in err


def test_json_has_the_key_where_there_is_something_to_note(command, folder: Path, sounds: Path):
    _, out, _ = command("predict", folder, sounds / "fine.wav", sounds / "soft.wav", "--json")
    fine, soft = json.loads(out)["results"]
    assert "note" not in fine
    assert soft["note"] == SOFTER


def test_the_table_has_notes_behind_the_answer_and_a_label_track_none(command, folder: Path, sounds: Path):
    _, out, _ = command("predict", folder, sounds / "fine.wav", sounds / "soft.wav")
    fine, soft = out.splitlines()
    assert "[" not in fine
    assert soft.endswith(f"  [{SOFTER}]")
    _, out, err = command("predict", folder, sounds / "soft.wav", "--format", "audacity")
    assert len(out.rstrip("\n").split("\t")) == 3
    assert "softer" not in out
    assert "1 of 1 sounds are outside" in err


def test_events_and_whole_sounds_are_noted_by_most_of_their_windows():
    span = TrainingRange(9, level_db=(-40, -10), bandwidth_hz=None, seconds=None, snr_db=None)
    levels = (-20, -64, -64, -20, -20)
    windows = [
        WindowScores(at, at + 1, np.array([at < 3, at >= 3], np.float32), measures=Measures(1, level, None, None))
        for at, level in enumerate(levels)
    ]

    def notes(whole: bool, wording: Postprocessing) -> list[tuple[str, ...]]:
        found = make_predictions([WindowGroup(0, whole, windows, True)], ["a"], ["dog", "cat"], wording, span)
        return [one.notes for one in found if isinstance(one, Prediction)]

    assert notes(False, Postprocessing(events=EventRule())) == [(SOFTER,), ()]
    assert notes(True, Postprocessing()) == [()]
    assert notes(False, Postprocessing()) == [(), (SOFTER,), (SOFTER,), (), ()]


def test_notes_survive_an_interruption(command, folder: Path, sounds: Path, tmp_path: Path, monkeypatch):
    from audiosurvey.prediction import prediction

    words = ("predict", folder, sounds, "--format", "csv", "--output")
    command(*words, tmp_path / "whole.csv")
    answered = 0
    plain = prediction.make_predictions

    def breaking(*arguments, **named):
        nonlocal answered
        for said in plain(*arguments, **named):
            answered += 1
            if answered == 100:
                raise KeyboardInterrupt
            yield said

    monkeypatch.setattr(prediction, "make_predictions", breaking)
    status, _, _ = command(*words, tmp_path / "broken.csv")
    assert status == 130
    _, _, err = command(*words, tmp_path / "broken.csv")
    assert "continuing: " in err
    assert (tmp_path / "broken.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_evaluation_on_other_data_counts_and_names_them(folder: Path, tmp_path: Path, capsys):
    from rich.console import Console

    (tmp_path / "mid").mkdir()
    for number, gain in enumerate((1, 0.0575, 0.0575)):
        soundfile.write(tmp_path / "mid" / f"{number}.wav", sound(gain=gain), RATE, subtype="FLOAT")
    results = evaluate_model(folder, str(tmp_path), device="cpu")
    assert results.outside == [{"clip": f"mid/{number}.wav", "note": SOFTER} for number in (1, 2)]
    print_evaluation(results, Console(width=200))
    said = capsys.readouterr().out
    assert "2 of 3 clips are outside the range that the model was trained on:" in said
    assert f"  mid/1.wav: {SOFTER}" in said


def test_the_demo_shows_notes_under_the_answer(model: Classifier, sounds: Path):
    heard = analyse_sound(sounds / "soft.wav", model, limits=UploadLimits())
    assert heard.notes == (SOFTER,)
    assert f"Note: {SOFTER}." in sound_html(heard, top=3, threshold=None, window_s=0.5)
    fine = analyse_sound(sounds / "fine.wav", model, limits=UploadLimits())
    assert "Note:" not in sound_html(fine, top=3, threshold=None, window_s=0.5)


def test_an_exported_file_knows_them_too(folder: Path):
    model = load_artefact(folder)
    facts = json.loads(json.dumps(exported_facts(model, 1, None)))
    exported = ExportedModel(facts, lambda wave_BS: np.zeros((len(wave_BS), 4)))
    assert exported.training_range == model.training_range
    assert exported.notes(sound(gain=0.0575)) == [SOFTER]


def test_a_saved_folder_says_it_in_model_json(model_of, folder_of, tmp_path: Path):
    folder = folder_of(model_of("tiny"), tmp_path / "model")
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert facts["training_range"] is None
    assert load_artefact(folder).training_range is None
    assert TrainingRange.from_json(facts["training_range"]) is None
