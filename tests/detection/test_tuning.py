"""Detection settings: chosen on recordings, measured on others, stored in the model, and used by predict."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.detection import DetectionSettings
from audiosurvey.detection import search
from audiosurvey.detection.evaluation import evaluate_events
from audiosurvey.detection.scoring import DetectionScores, Measure
from audiosurvey.detection.tuning import tune_detection
from audiosurvey.errors import UserError
from audiosurvey.prediction.options import PredictOptions

RATE = 8000
MEASURE = Measure(onset_s=0.3)
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SHARES", (1.0, 0.5))
    monkeypatch.setattr(search, "SMOOTH", (1, 3))
    monkeypatch.setattr(search, "ON", (0.2, 0.3, 0.4, 0.5, 0.6))
    monkeypatch.setattr(search, "OFF_SHARES", (None,))
    monkeypatch.setattr(search, "BACKGROUND", (False,))


@pytest.fixture
def model(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished_run / "fold-1" / "model", "model")
    return Path("model")


@pytest.fixture
def field(model: Path, tones: Path) -> Path:
    """Four recordings of noise in which tones sound, with a table of the tones."""
    rng = np.random.default_rng(3)
    rows = ["path,start_s,end_s,label"]
    Path("field").mkdir()
    for number in range(4):
        wave = 0.2 * rng.standard_normal(36 * RATE)
        for start, label in ((2 + number, "low"), (12, "high"), (25 - number, "low")):
            tone, _ = soundfile.read(tones / label / f"{number}.wav")
            wave[start * RATE : (start + 1) * RATE] = np.tile(tone, 2)
            rows.append(f"{number}.wav,{start},{start + 1},{label}")
        soundfile.write(f"field/{number}.wav", wave, RATE)
    Path("field/events.csv").write_text("\n".join(rows), encoding="utf-8")
    return Path("field/events.csv")


def f1_of(scores: DetectionScores) -> tuple[float, float]:
    assert scores.events.f1 is not None
    assert scores.segments.f1 is not None
    return scores.events.f1, scores.segments.f1


def test_settings_are_chosen_and_stored(model: Path, field: Path):
    found = tune_detection(model, field, MEASURE)
    assert found.held_out is not None
    # Undertrained, it is sure of nothing: at 0.5 it finds no tone. Noise is a class that is not in the table.
    assert found.before.events.hits == 0
    assert min(f1_of(found.held_out)) > 0.9
    assert found.settings.labels
    assert found.settings.tuned_on == "4 recordings (events.csv)"
    # The model is whole, and has these settings.
    assert audiosurvey.load(model).detection == found.settings
    by_default = evaluate_events(str(model), field, PredictOptions(), MEASURE)
    assert min(f1_of(by_default.scores)) > 0.9
    assert by_default.how == f"{found.settings}{found.settings.worth}"
    assert found.settings.measured == {
        "event_f1": found.held_out.events.f1,
        "segment_f1": found.held_out.segments.f1,
        "false_alarms_an_hour": found.held_out.false_alarms_an_hour,
    }
    # Tuning again begins with these.
    again = tune_detection(model, field, MEASURE)
    assert again.earlier == found.settings
    assert replace(again.settings, tuned_on=None) == replace(found.settings, tuned_on=None)


def test_predict_uses_them_unless_it_is_told_otherwise(model: Path, field: Path, command: Command):
    status, out, err = command("predict", model, "field/0.wav")
    assert status == 0
    assert {line.split()[2] for line in out.splitlines()[1:]} == {"noise"}
    assert err.splitlines()[0] == "windows of 0.5 s every 0.25 s; events from a score of 0.5"
    found = tune_detection(model, field, MEASURE)
    status, out, err = command("predict", model, "field/0.wav")
    assert err.splitlines()[0] == f"{found.settings}; event F1 1.00, segment F1 1.00 on 4 recordings (events.csv)"
    assert [line.split()[2] for line in out.splitlines()[1:]] == ["low", "high", "low"]
    _, _, err = command("predict", model, "field/0.wav", "--threshold", "0.9")
    assert err.splitlines()[0].endswith("; events from a score of 0.9")
    _, _, err = command("predict", model, "field/0.wav", "--window", "0.4")
    assert err.splitlines()[0].startswith("windows of 0.4 s every 0.2 s")
    # Noise is most of the recording: without it, nothing is noise, and tones are tones.
    _, out, err = command("predict", model, "field/0.wav", "--remove-background", "--threshold", "0.4")
    assert err.splitlines()[0] == "windows of 0.5 s every 0.25 s, background removed; events from a score of 0.4"
    assert "noise" not in {line.split()[2] for line in out.splitlines()[1:]}
    status, _, err = command("predict", model, "field/0.wav", "--remove-background", "--whole")
    assert status == 2
    assert err.startswith("--remove-background: is for windows, --whole gives one prediction per sound")
    # Windows that are not joined to events lie side by side.
    _, out, err = command("predict", model, "field/0.wav", "--format", "csv")
    assert err.splitlines()[0] == "windows of 0.5 s every 0.5 s"
    assert len(out.splitlines()) == 1 + 72


def test_the_command(model: Path, field: Path, command: Command):
    status, out, _ = command("evaluate", model, "--events", field, "--tune", "--onset", "0.3")
    assert status == 0
    assert out.startswith("scores of each half of the recordings, with the settings that are best on the other half\n")
    assert "before: windows of 0.5 s every 0.25 s; events from a score of 0.5: event F1 0.000" in out
    assert "stored in model/model.json; predict uses these settings from now on" in out
    status, out, _ = command("evaluate", model, "--events", field, "--tune", "--json")
    assert json.loads(out)["settings"]["tuned_on"] == "4 recordings (events.csv)"
    status, _, err = command("evaluate", model, "--events", field, "--tune", "--hop", "1")
    assert (status, err.strip()) == (2, "--hop: cannot be combined with --tune; leave one out")
    status, _, err = command("evaluate", model, "--tune")
    assert (status, err.strip()) == (
        2,
        "--tune: needs --events, recordings to choose settings with; for a run, its clips make them",
    )


def test_one_recording_has_no_others_to_measure_on(model: Path, field: Path, command: Command):
    lines = field.read_text(encoding="utf-8").splitlines()
    field.write_text("\n".join(line for line in lines if line[0] in "p0"), encoding="utf-8")
    status, out, _ = command("evaluate", model, "--events", field, "--tune")
    assert status == 0
    assert out.startswith("too few recordings to test the settings on others than those they were chosen on\n")


def test_what_cannot_be_tuned_is_left_as_it_is(model: Path, field: Path):
    before = (model / "model.json").read_bytes()
    Path("field/events.csv").write_text("path,start,end,label\n0.wav,,,\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"events\.csv: no events; settings are chosen by how well events are found"):
        tune_detection(model, field)
    assert (model / "model.json").read_bytes() == before


def test_settings_are_stored_as_they_are():
    settings = DetectionSettings(2.0, 1.0, 3, 0.6, 0.3, {"dog": 0.8}, "2 recordings (a.csv)")
    assert DetectionSettings.from_json(json.loads(json.dumps(settings.as_json()))) == settings
    assert settings.threshold(["dog", "cat"]) == {"dog": 0.8, "cat": 0.6}
    assert str(settings) == (
        "windows of 2 s every 1 s, smoothed over 3; events from a score of 0.6 (dog 0.8) down to 0.3"
    )
    assert DetectionSettings.default(5.0).threshold(["dog"]) == 0.5
