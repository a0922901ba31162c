"""The functions give what the commands print."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import soundfile
from small_survey import MakeSurvey

import audiosurvey
from audiosurvey.diagnosis.audit import as_json

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def printed(command: Command) -> Callable[..., Any]:
    """`printed("evaluate", run)`: the JSON that a command prints."""

    def run(*words: object) -> Any:
        status, out, err = command(*words, "--json")
        assert status == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def net(tiny_yaml: str, tmp_path: Path) -> Path:
    (tmp_path / "net.yaml").write_text(tiny_yaml, encoding="utf-8")
    return tmp_path / "net.yaml"


def test_configs(printed: Callable[..., Any], net: Path):
    key = "train.lr=0.5"
    assert printed("describe", net, "--set", key) == json.loads(json.dumps(asdict(audiosurvey.describe(net, [key]))))
    loaded = audiosurvey.load_config(net, {"train.lr": 0.5})
    assert printed("check", net, "--set", key) == loaded.config.model_dump(mode="json")
    assert audiosurvey.check(loaded).verdict == "folder, 24 clips, 4 classes, 3 folds"
    assert "toy" in audiosurvey.list_presets()


def test_runs(printed: Callable[..., Any], finished_run: Path, tones: Path):
    assert printed("runs", finished_run.parent) == [one.as_json() for one in audiosurvey.list_runs(finished_run.parent)]
    assert printed("evaluate", finished_run) == audiosurvey.evaluate(finished_run).as_json()
    model = finished_run / "fold-1" / "model"
    assert printed("evaluate", model, "--data", tones) == audiosurvey.evaluate(model, str(tones)).as_json()


def test_doctor(printed: Callable[..., Any], tones: Path, tmp_path: Path):
    found = audiosurvey.doctor(tones, html=tmp_path / "page.html")
    assert printed("doctor", tones) == json.loads(json.dumps(as_json(found)))
    assert (tmp_path / "page.html").stat().st_size > 1000


def test_compare(printed: Callable[..., Any], finished_run: Path):
    found = audiosurvey.compare(finished_run)
    assert printed("compare", finished_run) == json.loads(json.dumps(found.as_json()))
    assert [row["model"] for row in found] == ["run"]
    assert found[0]["score"] == pytest.approx(audiosurvey.open_run(finished_run).mean["accuracy"])


def test_report(finished_run: Path, tmp_path: Path):
    written = audiosurvey.report(finished_run, tmp_path / "page.html", audio=False)
    assert written.path.stat().st_size == written.size


def test_predict(printed: Callable[..., Any], finished_run: Path, tones: Path, tmp_path: Path):
    long = np.concatenate([soundfile.read(tones / name / "0.wav")[0] for name in ("low", "high", "noise") * 24])
    soundfile.write(tmp_path / "long.wav", long, 8000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    model, sounds = finished_run / "fold-1" / "model", [tones / "low", tmp_path / "long.wav"]
    rows = printed("predict", model, *sounds, "--events")
    found = list(audiosurvey.predict(model, sounds))
    assert [one.name for one in found] == [str(tones / "low" / f"{n}.wav") for n in range(6)] + [str(sounds[1])]
    predicted = [part for one in found for part in one.predictions]
    assert len(found[-1].predictions) > 10
    assert [(row["path"], row["start_s"], row["label"], row["score"]) for row in rows["results"]] == [
        (part.name, round(part.start_s, 3), part.labels[0][0], round(part.labels[0][1], 6)) for part in predicted
    ]
    (short, broken) = audiosurvey.predict(audiosurvey.load(model), [tones / "mid" / "1.wav", tmp_path / "broken.wav"])
    assert (short.label, short.score) == next(iter(audiosurvey.load(model).predict(tones / "mid" / "1.wav").items()))
    assert (broken.label, broken.predictions) == (None, ())
    assert broken.fault


def test_predict_arrays(finished_run: Path, tones: Path):
    model = audiosurvey.load(finished_run / "fold-1" / "model")
    wave, rate = soundfile.read(tones / "high" / "2.wav")
    (array, file) = audiosurvey.predict(model, [wave, tones / "high" / "2.wav"], sample_rate=rate)
    assert array.name == "array 1"
    assert array.predictions[0].labels == file.predictions[0].labels


def test_predict_refuses_before_the_first_sound(finished_run: Path, tones: Path):
    model = finished_run / "fold-1" / "model"
    with pytest.raises(audiosurvey.UserError, match=r"window_s=0\.0: expected seconds above 0"):
        audiosurvey.predict(model, tones, window_s=0.0)
    with pytest.raises(audiosurvey.UserError, match="no such file or folder"):
        audiosurvey.predict(model, "none.wav")
    with pytest.raises(audiosurvey.UserError, match="which sounds"):
        audiosurvey.predict(model, [])


def test_similar_and_suggest(printed: Callable[..., Any], finished_run: Path, tones: Path):
    model, query = finished_run / "fold-1" / "model", tones / "mid" / "2.wav"
    found = audiosurvey.similar(model, query, tones, number=7, hop_s=0.2)
    assert printed("similar", model, query, tones, "--number", 7, "--hop", 0.2) == found.as_json()
    assert pandas.DataFrame(found.columns()).path.tolist() == [one.name for one in found]
    asked = audiosurvey.suggest(model, tones, number=3, seed=4)
    assert printed("suggest", model, tones, "--number", 3, "--seed", 4) == asked.as_json()
    assert pandas.DataFrame(asked.columns()).suggested.tolist() == ["|".join(one.labels) for one in asked]


def test_survey(printed: Callable[..., Any], make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("folds: [1]", configs="configs: [net.yaml]")
    told: list[audiosurvey.Progress] = []
    found = audiosurvey.survey(path, progress=told.append)
    assert [(one.done, one.total, one.record) for one in told if one.record] == [(1, 1, {"outcome": "done"})]
    assert found.as_json() == audiosurvey.survey_status(tmp_path / "surveys" / "my").as_json()
    assert printed("survey", path, "--status") == json.loads(json.dumps(found.as_json()))
