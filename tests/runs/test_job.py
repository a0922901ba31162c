"""How the epoch is chosen, which clips are looked at for it, and that its weights are the ones that are kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from measured import without_measured

from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.data.splits.folds import make_split
from audiosurvey.runs.evaluation.heldout import evaluate_run, open_run
from audiosurvey.runs.evaluation.scores import monitored
from audiosurvey.runs.job import clips_to_evaluate
from audiosurvey.runs.results.fold_log import read_history
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.stages.stage import Stage

Train = Callable[..., dict[str, Any]]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[str]]:
    """The clips of each evaluation, in order."""
    looks: list[frozenset[str]] = []
    true_scored = Stage.scored

    def scored(self: Stage, network: Any, clips: Any) -> Any:
        looks.append(frozenset(clip.id for clip in clips))
        return true_scored(self, network, clips)

    monkeypatch.setattr(Stage, "scored", scored)
    monkeypatch.setattr("audiosurvey.reporting.listener.forecast_line", lambda plan: "")
    return looks


def sides(tiny: Any, selection: Any) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    split = make_split(prepare(tiny().config.dataset, 8000).table, 1, selection)
    train, validation, test = (
        frozenset(clip.id for clip in side) for side in (split.train, split.validation, split.test)
    )
    return train, validation, test


def test_validation_looks_at_the_test_fold_at_the_end_alone(tmp_path, tiny, train_tiny: Train, looked_at):
    results = train_tiny(tmp_path, "train.epochs=3", "protocol={selection: validation, test_every: 0}", folds=[1])
    train, validation, test = sides(tiny, "validation")
    # The test fold is scored again only where the chosen epoch is not the last one.
    chosen = results["folds"][0]["chosen_epoch"]
    assert looked_at == [validation, validation, validation, test, *([test] if chosen < 3 else [])]
    assert not train & (validation | test)
    history = read_history(tmp_path / "fold-1")
    assert ["test_accuracy" in record for record in history] == [False, False, True]


def test_last_without_curves_looks_once(tmp_path, tiny, train_tiny: Train, looked_at):
    results = train_tiny(tmp_path, "train.epochs=3", "protocol.test_every=0", folds=[1])
    _, validation, test = sides(tiny, "last")
    assert not validation
    assert looked_at == [test]
    assert results["folds"][0]["chosen_epoch"] == 3


def test_curves_are_drawn_every_so_many_epochs(tmp_path, train_tiny: Train):
    train_tiny(tmp_path, "train.epochs=5", "protocol.test_every=2", folds=[1])
    looks = ["test_accuracy" in record for record in read_history(tmp_path / "fold-1")]
    assert looks == [False, True, False, True, True]


@pytest.mark.parametrize(
    ("protocol", "validated", "tested"),
    [
        ("{selection: last, test_every: 0}", 0, 1),
        ("{selection: last, test_every: 1}", 0, 5),
        ("{selection: last, test_every: 2}", 0, 3),  # epochs 2, 4 and the last
        ("{selection: last, test_every: 10}", 0, 1),
        ("{selection: validation, test_every: 0}", 5, 1),
        ("{selection: validation, test_every: 2}", 5, 3),
        ("{selection: test, test_every: 0}", 0, 5),
    ],
)
def test_looks_are_counted_as_they_happen(tmp_path, train_tiny: Train, tiny, protocol, validated, tested):
    overrides = ("train.epochs=5", f"protocol={protocol}")
    config = tiny(*overrides).config
    split = make_split(prepare(config.dataset, 8000).table, 1, config.protocol.selection)
    counted = clips_to_evaluate(config, split, 5)
    assert counted == validated * len(split.validation) + tested * len(split.test)

    train_tiny(tmp_path, *overrides, folds=[1])
    history = read_history(tmp_path / "fold-1")
    assert sum("val_accuracy" in record for record in history) == validated
    assert sum("test_accuracy" in record for record in history) == tested


def test_what_the_test_fold_says_does_not_move_the_choice(tmp_path, train_tiny: Train, tiny, monkeypatch):
    overrides = ("train.epochs=4", "protocol.selection=validation")
    honest = train_tiny(tmp_path / "honest", *overrides, folds=[1])
    _, _, test = sides(tiny, "validation")
    true_measure, calls = Stage.measure, []

    def lying(self: Stage, scored: Any, clips: Any) -> Any:
        if {clip.id for clip in clips} == test:
            calls.append(1.0 / (1 + len(calls)))
            return {"accuracy": calls[-1], "top3_accuracy": 1.0, "auroc": 1.0, "loss": 0.0}
        return true_measure(self, scored, clips)

    monkeypatch.setattr(Stage, "measure", lying)
    lied_to = train_tiny(tmp_path / "lied-to", *overrides, folds=[1])
    assert len(calls) == 4
    assert without_measured(lied_to["folds"]) == without_measured(honest["folds"])


@pytest.mark.parametrize(("selection", "side"), [("validation", "val"), ("test", "test")])
def test_the_best_epoch_by_accuracy_then_loss_is_what_is_kept(
    tmp_path, tiny: Any, train_tiny: Train, selection, side, monkeypatch
):
    # After four steps the rate is far too high, so that the last epochs are the worst.
    monkeypatch.setattr("audiosurvey.training.loop.rate_factor", lambda schedule, step, total: 500 if step >= 4 else 1)
    results = train_tiny(tmp_path, "train.epochs=5", "ema.decay=0", f"protocol.selection={selection}", folds=[1])
    history = read_history(tmp_path / "fold-1")
    best = max(history, key=lambda record: (record[f"{side}_accuracy"], -record[f"{side}_loss"]))
    (row,) = results["folds"]
    assert row["chosen_epoch"] == best["epoch"] < 5
    assert row["accuracy"] == best["test_accuracy"]
    assert row["loss"] == pytest.approx(best["test_loss"], abs=1e-6)
    again = evaluate_run(open_run(RunFolder(tmp_path)), device="cpu").as_json()
    assert again["folds"][0]["accuracy"] == row["accuracy"]
    assert again["optimistic"] is results["optimistic"] is (selection == "test")
    # The clips that chose the epoch are no test for the model either.
    _, validation, test = sides(tiny, selection)
    known = json.loads((tmp_path / "fold-1" / "model" / "trained_on.json").read_text(encoding="utf-8"))
    assert set(known) > (validation if selection == "validation" else test)


def test_patience_alone_ends_it(tmp_path, train_tiny: Train):
    results = train_tiny(tmp_path, "train={epochs: 0, patience: 2, lr: 0.5, batch_size: 4}", folds=[1])
    assert results["selection"] == "validation"
    (row,) = results["folds"]
    assert row["epochs"] == row["chosen_epoch"] + 2
    history = read_history(tmp_path / "fold-1")
    assert len(history) == row["epochs"]
    assert {record["lr"] for record in history} == {0.5}


def test_monitored_is_greater_where_better():
    assert monitored({"accuracy": 0.5, "loss": 1.0}) > monitored({"accuracy": 0.5, "loss": 2.0})
    assert monitored({"accuracy": 0.6, "loss": 9.0}) > monitored({"accuracy": 0.5, "loss": 0.1})
    assert monitored({"map": 0.6, "auroc": 0.1, "loss": 1.0}) > monitored({"map": 0.5, "auroc": 0.9, "loss": 1.0})
    assert monitored({"map": None, "auroc": None, "loss": 1.0}) == (0.0, -1.0)


def test_the_metrics_are_finite_json(finished_run: Path):
    for line in (finished_run / "fold-1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert {"epoch", "step", "lr", "train_loss", "test_accuracy", "test_loss", "seconds"} <= record.keys()
