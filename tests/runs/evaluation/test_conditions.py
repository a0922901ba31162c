"""Test clips recorded otherwise: each fold's model on its own, the table, the file and the cards."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import audiosurvey
from audiosurvey.api.evaluation import evaluate
from audiosurvey.data.audio.degradations import conditions
from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.data.splits.folds import make_split
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream
from audiosurvey.runs.evaluation import conditions as module
from audiosurvey.runs.evaluation.conditions import measure_conditions
from audiosurvey.runs.evaluation.heldout import open_run
from audiosurvey.runs.results.run_folder import RunFolder

NAMES = [condition.name for condition in conditions(8000)]


@pytest.fixture
def run(final_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(final_run, tmp_path / "run"))


def test_each_condition_is_what_predict_says_of_the_changed_test_clips(run: Path):
    found = measure_conditions(open_run(RunFolder(run)), device="cpu").as_json()
    assert [row["name"] for row in found["mean"]] == NAMES
    config = RunFolder(run).read_config()
    sounds = prepare(config.dataset, config.sample_rate)
    for row in found["folds"]:
        model = audiosurvey.load(run / f"fold-{row['fold']}" / "model")
        clips = make_split(sounds.table, row["fold"], "last", False).test
        assert row["clips"] == len(clips) == 8
        for condition, told in zip(conditions(8000), row["conditions"], strict=True):
            right, best = [], []
            for clip in clips:
                wave = condition.change(sounds.store.read(clip.id), stream("conditions", condition.name, clip.id))
                label, score = next(iter(model.predict(wave).items()))
                right.append(label == sounds.table.classes[clip.labels[0]])
                best.append(score)
            assert told["accuracy"] == np.mean(right)
            assert told["mean_score"] == pytest.approx(np.mean(best), abs=1e-5)
    for place, row in enumerate(found["mean"]):
        assert row["accuracy"] == pytest.approx(np.mean([f["conditions"][place]["accuracy"] for f in found["folds"]]))


def test_clips_as_they_are_give_the_accuracy_of_the_run(run: Path):
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    found = measure_conditions(open_run(RunFolder(run)), device="cpu").as_json()
    assert found["mean"][0]["accuracy"] == pytest.approx(results["mean"]["accuracy"])


def test_noise_is_drawn_by_clip_so_that_groups_and_repetition_change_nothing(run: Path, monkeypatch):
    once = measure_conditions(open_run(RunFolder(run)), device="cpu").as_json()
    monkeypatch.setattr(module, "CLIPS_AT_ONCE", 3)
    again = measure_conditions(open_run(RunFolder(run)), device="cpu").as_json()
    for one, other in zip(once["mean"], again["mean"], strict=True):
        assert one["accuracy"] == other["accuracy"]
        assert one["mean_score"] == pytest.approx(other["mean_score"], abs=1e-5)


def test_the_command_prints_the_table_and_writes_file_and_cards(command, run: Path):
    status, out, _ = command("evaluate", run, "--conditions", "--device", "cpu")
    assert status == 0
    for name in NAMES:
        assert name in out
    found = json.loads((run / "conditions.json").read_text(encoding="utf-8"))
    assert found["metric"] == "accuracy"
    for fold in (1, 2, 3):
        text = (run / f"fold-{fold}" / "model" / "README.md").read_text(encoding="utf-8")
        assert f"Test clips of fold {fold}," in text
        accuracy = found["folds"][fold - 1]["conditions"][2]["accuracy"]
        assert f"| 40 dB softer | {accuracy:.3f} |" in text
    final = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert "Mean over the test clips of folds 1, 2, 3," in final
    assert f"| twice | {found['mean'][-1]['accuracy']:.3f} |" in final
    assert audiosurvey.load(run).labels  # a card is not part of the checksums
    assert not [path for path in run.rglob("*") if path.name.endswith(".tmp")]


def test_json_has_them_beside_the_results(command, run: Path):
    status, out, _ = command("evaluate", run, "--conditions", "--json", "--device", "cpu")
    assert status == 0
    told = json.loads(out)
    assert told["conditions"] == json.loads((run / "conditions.json").read_text(encoding="utf-8"))
    status, out, _ = command("evaluate", run, "--json", "--device", "cpu")
    assert "conditions" not in json.loads(out)


def test_several_labels_are_measured_by_map(train_tiny, tones: Path, tmp_path: Path):
    rows = ["path,label"]
    for number in range(6):
        rows += [f"low/{number}.wav,low|tone", f"high/{number}.wav,high|tone", f"noise/{number}.wav,noise"]
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    data = f"dataset={{name: csv, root: '{tones.as_posix()}', table: '{(tmp_path / 'table.csv').as_posix()}', "
    train_tiny(tmp_path / "run", data + "num_folds: 3, clip_seconds: 0.5}", "train.epochs=1", folds=[1])
    found = measure_conditions(open_run(RunFolder(tmp_path / "run")), device="cpu").as_json()
    assert found["metric"] == "map"
    assert len(found["folds"]) == 1
    assert 0 < found["mean"][0]["map"] <= 1
    assert "| condition | mAP |" in (tmp_path / "run/fold-1/model/README.md").read_text(encoding="utf-8")


def test_what_does_not_go_together(run: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"^conditions: is for a run"):
        evaluate(run, "toy", device="cpu", conditions=True)
    with pytest.raises(UserError, match="not a run folder; conditions is for a run"):
        evaluate(run / "fold-1" / "model", None, device="cpu", conditions=True)
    (tmp_path / "empty").mkdir()
    shutil.copy(run / "config.yaml", tmp_path / "empty")
    with pytest.raises(UserError, match="no finished fold yet"):
        evaluate(tmp_path / "empty", None, device="cpu", conditions=True)
