"""A model on recordings with known events: from a table to scores, a picture and clear messages."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.detection.evaluation import evaluate_events
from audiosurvey.detection.scoring import Measure
from audiosurvey.errors import UserError
from audiosurvey.prediction.options import PredictOptions

RATE = 8000
HOW = PredictOptions(window_s=0.5, hop_s=0.25, on=0.0)


@pytest.fixture
def field(tmp_path: Path, tones: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two recordings: noise in which tones sound, and noise alone, with a table of the tones."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    wave = 0.2 * rng.standard_normal(10 * RATE)
    rows = ["path,start_s,end_s,label", "b.wav,,,"]
    for start, label in ((2, "low"), (4, "high"), (7, "low")):
        tone, _ = soundfile.read(tones / label / "0.wav")
        wave[start * RATE : (start + 1) * RATE] = np.tile(tone, 2)
        rows.append(f"a.wav,{start},{start + 1},{label}")
    Path("field").mkdir()
    soundfile.write("field/a.wav", wave, RATE)
    soundfile.write("field/b.wav", 0.2 * rng.standard_normal(5 * RATE), RATE)
    Path("field/events.csv").write_text("\n".join(rows), encoding="utf-8")
    return Path("field/events.csv")


def test_events_are_found_and_scored(field: Path, finished_run: Path):
    seen: list[tuple[int, int]] = []
    model = str(finished_run / "fold-1" / "model")
    found = evaluate_events(model, field, HOW, Measure(0.3), lambda done, of: seen.append((done, of)))
    scores = found.scores
    assert seen == [(1, 2), (2, 2)]
    assert scores.seconds == pytest.approx(15.0)
    by_label = {one.label: one.events for one in scores.labels}
    assert [(by_label[name].true, by_label[name].hits) for name in ("low", "high")] == [(2, 2), (1, 1)]
    # Noise is a class of this model, and nobody has annotated it.
    assert by_label["noise"].true == 0
    assert by_label["noise"].found >= 2
    assert scores.events.hits == 3
    assert scores.false_alarms_an_hour == pytest.approx((scores.events.found - 3) * 240)
    assert scores.psds == 1.0
    assert [one.name for one in scores.recordings] == ["field/a.wav", "field/b.wav"]
    assert sum(one.events.found for one in scores.recordings) == scores.events.found
    # Windows of half a second overlap by half: each stands for its middle.
    assert Annotation("low", 2.125, 2.875) in found.recordings[0].found


def test_labels_that_the_model_does_not_know(field: Path, finished_run: Path):
    text = field.read_text(encoding="utf-8")
    field.write_text(text + "\na.wav,8,9,owl\n", encoding="utf-8")
    found = evaluate_events(str(finished_run / "fold-1" / "model"), field, HOW)
    assert found.notes == ["left out: 1 event with a label that the model does not know (owl)"]
    assert found.scores.events.true == 3
    field.write_text("path,start,end,label\na.wav,8,9,owl\n", encoding="utf-8")
    with pytest.raises(UserError, match="no event has a label of the model; it knows high, low, mid, noise, and"):
        evaluate_events(str(finished_run / "fold-1" / "model"), field, HOW)


def test_a_recording_that_cannot_be_read_is_left_out(field: Path, finished_run: Path):
    Path("field/b.wav").write_text("no sound")
    found = evaluate_events(str(finished_run / "fold-1" / "model"), field, HOW)
    assert [one.name for one in found.failures] == ["field/b.wav"]
    assert [one.name for one in found.scores.recordings] == ["field/a.wav"]
    Path("field/a.wav").write_text("no sound")
    with pytest.raises(UserError, match=r"field/a\.wav: not a sound file"):
        evaluate_events(str(finished_run / "fold-1" / "model"), field, HOW)


def test_the_command(field: Path, finished_run: Path, command: Callable[..., tuple[int, str, str]]):
    model = finished_run / "fold-1" / "model"
    words = ("evaluate", model, "--events", field, "--window", "0.5", "--hop", "0.25", "--onset", "0.3", "--on", "0")
    status, out, _ = command(*words, "--picture", "worst.png")
    assert status == 0
    assert "2 recordings, 15 s, 3 events" in out
    assert "an event is right if its start is within 0.3 s: 0 missed" in out
    assert Path("worst.png").read_bytes().startswith(b"\x89PNG")
    status, out, _ = command(*words, "--offset-share", "0.5", "--segment", "0.5", "--json")
    found = json.loads(out)
    assert found["measure"] == {"onset_s": 0.3, "offset_share": 0.5, "segment_s": 0.5}
    assert found["events"]["hits"] == 3
    Path("field/b.wav").write_text("no sound")
    status, _, err = command(*words)
    assert status == 1
    assert "left out: field/b.wav: not a sound file" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "toy"], "--data: cannot be combined with --events; leave one out"),
        (["--onset", "-1"], "--onset -1: expected seconds above 0"),
        (["--offset-share", "2"], "--offset-share 2: expected a share above 0, up to 1"),
        (["--picture", "worst.jpg"], "worst.jpg: the picture is a PNG file; give a name that ends in .png"),
        (["--threshold", "2"], "--threshold 2: expected a score from 0 to 1"),
    ],
)
def test_options_that_do_not_fit(
    field: Path, finished_run: Path, command: Callable[..., tuple[int, str, str]], words: list[str], message: str
):
    status, out, err = command("evaluate", finished_run / "fold-1" / "model", "--events", field, *words)
    assert (status, out, err.strip()) == (2, "", message)


def test_options_for_events_only(finished_run: Path, command: Callable[..., tuple[int, str, str]]):
    status, _, err = command("evaluate", finished_run, "--hop", "1")
    assert (status, err.strip()) == (2, "--hop: is for --events; leave it out, or give --events")
