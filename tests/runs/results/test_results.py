"""results.json: its form, its means, and when it may be called official."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audiosurvey.config.root import Config
from audiosurvey.data.store.store import Skipped
from audiosurvey.data.table import Clip, Ignored, Table
from audiosurvey.runs.results.results import FoldRow, new_results
from audiosurvey.runs.results.stored import read_json, write_json

CLASSES = ("a", "b", "c", "d")


def table(name: str = "esc50", official: bool = True, folds: int = 3) -> Table:
    clips = tuple(Clip(f"{n}", Path(f"{n}"), (n % 4,), fold=n % folds + 1) for n in range(4 * folds))
    return Table(name, Path("x"), CLASSES, clips, official=official, licence="CC BY 3.0")


def results(
    data: Table,
    folds: tuple[int, ...] = (1, 2, 3),
    skipped: tuple[Skipped, ...] = (),
    leaking: bool = False,
    **config: Any,
) -> dict[str, Any]:
    store = SimpleNamespace(hash="abc", skipped=skipped)
    made = new_results(Config.model_validate(config).resolved(), data, store, leaking=leaking)  # type: ignore[arg-type]
    for fold in folds:
        made = made.with_folds([row(fold)], np.eye(4, dtype=int) * fold)
    return made.as_json()


def row(fold: int) -> FoldRow:
    stored = {
        "fold": fold,
        "accuracy": 0.1 * fold,
        "top3_accuracy": 0.5,
        "auroc": None if fold == 2 else 0.9,
        "loss": 1.0,
        "clips": 4,
        "epochs": 2,
        "chosen_epoch": 2,
        "seconds": 1.25,
    }
    return FoldRow.model_validate(stored)


def test_mean_and_sample_deviation_over_the_folds():
    found = results(table())
    assert found["mean"]["accuracy"] == pytest.approx(0.2)
    assert found["std"]["accuracy"] == pytest.approx(0.1)
    assert found["mean"]["auroc"] is None
    assert found["std"]["auroc"] is None
    assert found["seconds"] == 3.75


def test_clips_left_out_by_choice_make_it_not_official():
    left = (Ignored("x", "silent"), Ignored("y", "loud"))
    found = results(replace(table(official=False), ignored=left))
    assert found["ignored"] == [{"clip": "x", "reason": "silent"}, {"clip": "y", "reason": "loud"}]
    assert (found["official"], found["not_official"]) == (False, "2 clips left out by dataset.ignore")
    assert results(table())["ignored"] == []


def test_one_fold_has_no_deviation():
    found = results(table(), folds=(1,))
    assert found["mean"]["accuracy"] == pytest.approx(0.1)
    assert found["std"]["accuracy"] is None


def test_folds_stand_in_order_and_the_confusion_is_pooled():
    found = results(table(), folds=(3, 1))
    assert [fold["fold"] for fold in found["folds"]] == [1, 3]
    assert found["confusion"] == (np.eye(4, dtype=int) * 4).tolist()
    assert found["recall"] == dict.fromkeys(CLASSES, 1.0)


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        (table(), {}, None),
        (table(), {"folds": (1, 3)}, "folds 1, 3 of 3 only"),
        (table(), {"folds": (2,)}, "fold 2 of 3 only"),
        (table(), {"skipped": (Skipped("x.wav", "no frames"),)}, "1 clip skipped"),
        (table(), {"leaking": True}, "one recording is on both sides of a split"),
        (table(official=False), {}, "not the whole data set as published"),
        (table("toy", official=False), {}, "this data set has none"),
        (table("folder", official=False), {}, "this data set has none"),
        # How the epoch was chosen is another matter, and another mark.
        (table(), {"protocol": {"selection": "test"}}, None),
    ],
)
def test_official_only_where_the_number_may_be_compared(data, options, why):
    found = results(data, **options)
    assert found["official"] is (why is None)
    assert found["not_official"] == why


def test_marks():
    assert results(table(), protocol={"selection": "test"})["optimistic"] is True
    assert results(table())["optimistic"] is False
    assert results(table(), leaking=True)["leaking"] is True
    found = results(table(), train={"patience": 3})
    assert (found["selection"], found["protocol"]["selection"]) == ("validation", "validation")


def test_everything_the_contract_names_is_there():
    found = json.loads(json.dumps(results(table(), skipped=(Skipped("x.wav", "no frames"),))))
    assert found["schema"] == 1
    assert found["dataset"] == {
        "name": "esc50",
        "subset": None,
        "sample_rate": 32000,
        "clips": 12,
        "hash": "abc",
        "licence": "CC BY 3.0",
    }
    assert found["classes"] == list(CLASSES)
    assert found["init"] is None
    assert found["skipped"] == [{"clip": "x.wav", "reason": "no frames"}]
    assert {"protocol", "parameters", "macs", "mean", "std", "selection", "official", "seconds"} <= found.keys()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "new" / "results.json"
    write_json(path, {"a": 1, "name": "дождь"})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1, "name": "дождь"}
    assert [entry.name for entry in path.parent.iterdir()] == ["results.json"]
