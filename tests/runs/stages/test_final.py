"""The final model: on all folds, resumed, made anew where folds came, and nothing said of it that was not measured."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from audiosurvey.api.evaluation import evaluate
from audiosurvey.artefact.calibration import fit_temperature
from audiosurvey.artefact.folder import load_artefact
from audiosurvey.errors import UserError
from audiosurvey.runs import recorder
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.runs.results.results import FoldRow
from audiosurvey.runs.stages.final import FinalTraining, final_config, final_epochs
from audiosurvey.training.checkpoint import read_state

Train = Callable[..., dict[str, Any]]


def written(run: Path) -> dict[str, Any]:
    return json.loads((run / "results.json").read_text(encoding="utf-8"))


def weights(run: Path) -> bytes:
    return (run / "model" / "weights.safetensors").read_bytes()


def test_it_heard_every_clip(final_run: Path):
    model = load_artefact(final_run)
    assert len(model.heard.clips) == 24
    assert (model.facts["about"]["fold"], model.facts["about"]["folds"]) == (None, [1, 2, 3])


def test_results_say_that_it_is_there(final_run: Path, finished_run: Path):
    before, after = written(finished_run), written(final_run)
    assert before["final"] is None
    made = after.pop("final")
    assert (made["model"], made["folds"], made["clips"], made["epochs"]) == ("model", [1, 2, 3], 24, 6)
    # The folds are as they were.
    assert after == {name: value for name, value in before.items() if name != "final"}
    assert {path.name for path in (final_run / "final").iterdir()} >= {"checkpoint", "metrics.jsonl"}
    assert len((final_run / "final" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 6


def test_it_is_calibrated_on_what_the_folds_said_of_clips_they_had_not_heard(final_run: Path):
    model = load_artefact(final_run)
    scores, truth = [], []
    for fold in (1, 2, 3):
        _, labels, scores_NK = read_predictions(final_run / f"fold-{fold}" / "predictions.csv")
        scores.append(scores_NK)
        truth += [model.labels.index(label) for label in labels]
    fitted = fit_temperature(np.concatenate(scores), np.eye(4)[truth], False)
    assert model.temperature == pytest.approx(fitted)
    assert "the 24 clips of folds 1, 2, 3" in model.facts["calibration"]["fitted_on"]


def test_calibration_changes_no_accuracy(final_run: Path, tones: Path):
    model = load_artefact(final_run)
    for path in sorted(tones.rglob("*.wav")):
        wave_S = model.decoded(path)
        assert model.scores(wave_S).argmax() == model.logits(wave_S).argmax()


def test_a_run_with_one_stands_for_it(final_run: Path, tones: Path):
    results = evaluate(final_run, str(tones), device="cpu").as_json()
    assert (results["clips"], len(results["trained_on"])) == (24, 24)
    assert results["metrics_unseen"] is None
    # Without --data it is the run that is evaluated, fold by fold.
    again = evaluate(final_run, None, device="cpu").as_json()
    assert again["final"] == written(final_run)["final"]
    assert again["mean"]["accuracy"] == written(final_run)["mean"]["accuracy"]


def test_with_the_folds_or_after_them_is_the_same(tmp_path, train_tiny: Train):
    train_tiny(tmp_path / "at-once", "train.epochs=2", final=True)
    train_tiny(tmp_path / "after", "train.epochs=2")
    assert not (tmp_path / "after" / "model").exists()
    train_tiny(tmp_path / "after", "train.epochs=2", resume=True, final=True)
    assert weights(tmp_path / "after") == weights(tmp_path / "at-once")
    stamp = (tmp_path / "after" / "model" / "model.json").stat().st_mtime_ns
    train_tiny(tmp_path / "after", "train.epochs=2", resume=True, final=True)
    assert (tmp_path / "after" / "model" / "model.json").stat().st_mtime_ns == stamp


def test_a_break_is_mended(tmp_path, train_tiny: Train, killed_after_checkpoint: Any):
    train_tiny(tmp_path / "whole", folds=[1], final=True)
    with killed_after_checkpoint(lambda trainer: trainer.folder.parent.name == "final"):
        train_tiny(tmp_path / "broken", folds=[1], final=True)
    assert written(tmp_path / "broken")["final"] is None
    with pytest.raises(UserError, match="has no final model; models of folds: "):
        load_artefact(tmp_path / "broken")
    assert read_state(tmp_path / "broken" / "final" / "checkpoint" / "state.safetensors")[0].epoch == 1
    train_tiny(tmp_path / "broken", folds=[1], final=True, resume=True)
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")


def test_folds_that_come_later_calibrate_it_anew(tmp_path, train_tiny: Train):
    train_tiny(tmp_path, folds=[1], final=True)
    first, before = load_artefact(tmp_path), weights(tmp_path)
    assert first.facts["calibration"]["expected_error"]["measured_on"] == "the same 8 clips"
    # Without --final it stays as it is, and results.json says which folds it knows.
    assert train_tiny(tmp_path, folds=[1, 2], resume=True)["final"]["folds"] == [1]
    assert train_tiny(tmp_path, folds=[1, 2], resume=True, final=True)["final"]["folds"] == [1, 2]
    second = load_artefact(tmp_path)
    assert "16 clips of folds 1, 2" in second.facts["calibration"]["fitted_on"]
    assert second.temperature != first.temperature
    # Its epochs are fixed, so that the weights are the ones it had.
    assert weights(tmp_path) == before


def test_where_folds_choose_the_epoch_it_takes_their_median(tmp_path, train_tiny: Train):
    validation = ("protocol.selection=validation", "train.epochs=4")
    results = train_tiny(tmp_path, *validation, final=True)
    chosen = sorted(row["chosen_epoch"] for row in results["folds"])
    assert results["final"]["epochs"] == chosen[1]
    lines = (tmp_path / "final" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == chosen[1]
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert f"- epochs: {chosen[1]}, the median of the epochs that the folds chose" in card
    stored = yaml.safe_load((tmp_path / "model" / "config.yaml").read_text(encoding="utf-8"))
    assert (stored["train"]["epochs"], stored["protocol"]["selection"]) == (chosen[1], "last")
    # The models of the folds are calibrated on the fold that chose their epoch.
    one = load_artefact(tmp_path / "fold-1")
    assert one.facts["calibration"]["fitted_on"] == "the 8 clips of fold 2, held out for validation"
    assert one.facts["calibration"]["expected_error"]["measured_on"] == "the 8 clips of fold 1, which was held out"
    # A class that is the best one of no clip of fold 2 has no threshold.
    validated = [
        Path(stored["dataset"]["root"]) / clip for clip in read_predictions(tmp_path / "fold-2" / "predictions.csv")[0]
    ]
    assert set(one.thresholds) == {next(iter(said)) for said in one.predict(validated)}
    # predictions.csv holds the scores before the temperature.
    clips, _, scores_NK = read_predictions(tmp_path / "fold-1" / "predictions.csv")
    logits_K = one.logits(one.windows(one.decoded(Path(stored["dataset"]["root"]) / clips[0])))[0]
    np.testing.assert_allclose(scores_NK[0], np.exp(logits_K) / np.exp(logits_K).sum(), atol=1e-5)


def test_a_checkpoint_of_another_length_goes(tmp_path, train_tiny: Train):
    train_tiny(tmp_path / "run", folds=[1], final=True)
    shutil.copytree(tmp_path / "run", tmp_path / "changed")
    before = weights(tmp_path / "run")
    (tmp_path / "changed" / "final" / "plan.json").write_text('{"epochs": 9}', encoding="utf-8")
    (tmp_path / "changed" / "model" / "model.json").unlink()
    train_tiny(tmp_path / "changed", folds=[1], resume=True, final=True)
    assert weights(tmp_path / "changed") == before
    assert json.loads((tmp_path / "changed" / "final" / "plan.json").read_text(encoding="utf-8")) == {"epochs": 2}


@pytest.mark.parametrize(("chosen", "median"), [([3], 3), ([1, 9, 4], 4), ([2, 3], 3), ([2, 4, 5, 9], 5), ([1], 1)])
def test_the_median_by_hand(tiny, chosen, median):
    config = tiny("protocol.selection=validation").config
    rows = [FoldRow(fold=n, clips=4, epochs=9, chosen_epoch=epoch, seconds=1.0) for n, epoch in enumerate(chosen, 1)]
    epochs, why = final_epochs(config, rows)
    assert epochs == median
    assert ", ".join(map(str, chosen)) in why


def test_patience_is_gone_from_its_config(tiny):
    config = tiny("train={epochs: 0, patience: 3}").config.resolved()
    changed = final_config(config, 7)
    assert (changed.train.epochs, changed.train.patience, changed.protocol.selection) == (7, None, "last")
    # Schedule and averaging stay what the folds had.
    assert (changed.resolved().schedule, changed.resolved().ema) == (config.schedule, config.ema)


def test_it_has_the_schedule_of_the_folds_where_a_pretraining_has_another(tiny):
    config = tiny("train={epochs: 0, patience: 3}", "pretrain={dataset: {name: toy}, epochs: 4}").config.resolved()
    changed = final_config(config, 7).resolved()
    assert (changed.schedule.name, changed.ema.decay) == ("constant", 0.0)
    assert (changed.train.epochs, changed.train.patience) == (7, None)


def test_several_labels(tmp_path, train_tiny: Train, tones: Path):
    names = ("low", "mid", "high")
    rows = ["path,label,fold"]
    rows += [f"{tones.as_posix()}/{name}/{n}.wav,{name}|{names[n % 3]},{n % 2 + 1}" for name in names for n in range(6)]
    (tmp_path / "several.csv").write_text("\n".join(rows), encoding="utf-8")
    dataset = f"dataset={{name: csv, table: '{(tmp_path / 'several.csv').as_posix()}', clip_seconds: 0.5}}"
    train_tiny(tmp_path / "run", dataset, "train.epochs=1", final=True)
    model = load_artefact(tmp_path / "run")
    wave_S = model.decoded(tones / "low" / "0.wav")
    expected = 1 / (1 + np.exp(-model.logits(wave_S)[0].astype(np.float64) / model.temperature))
    np.testing.assert_allclose(model.scores(wave_S)[0], expected, atol=1e-6)
    assert model.temperature != 1
    assert set(model.thresholds) == set(names)


def test_a_missing_row_of_the_predictions_is_noticed(finished_run: Path, tmp_path: Path, train_tiny: Train):
    shutil.copytree(finished_run, tmp_path / "run")
    path = tmp_path / "run" / "fold-2" / "predictions.csv"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    with pytest.raises(UserError, match=r"fold-2/predictions.csv: damaged, its rows are not the 8 test clips"):
        train_tiny(tmp_path / "run", "train.epochs=6", "tracking=[tensorboard]", resume=True, final=True)


def test_it_hears_the_share_of_the_clips_that_the_folds_were_trained_on(tmp_path, train_tiny: Train):
    train_tiny(tmp_path / "run", "protocol.train_share=0.5", "train.epochs=1", final=True, folds=[1, 2, 3])
    assert len(load_artefact(tmp_path / "run").heard.clips) == 12  # 3 of each of the 4 classes


def test_of_a_split_column_it_hears_every_side(tmp_path, train_tiny: Train, tones: Path, monkeypatch):
    seen: list[int] = []
    true_final = recorder.Recorder.final

    def final(self: recorder.Recorder, trained: FinalTraining, results: Any) -> None:
        seen.append(len(trained.clips))
        true_final(self, trained, results)

    monkeypatch.setattr(recorder.Recorder, "final", final)
    sides = ("train", "train", "train", "val", "test", "test")
    rows = ["path,label,split"]
    rows += [f"{tones.as_posix()}/{name}/{n}.wav,{name},{sides[n]}" for name in ("low", "high") for n in range(6)]
    (tmp_path / "split.csv").write_text("\n".join(rows), encoding="utf-8")
    dataset = f"dataset={{name: csv, table: '{(tmp_path / 'split.csv').as_posix()}', clip_seconds: 0.5}}"
    train_tiny(tmp_path / "run", dataset, "train.epochs=1", final=True)
    assert seen == [12]
