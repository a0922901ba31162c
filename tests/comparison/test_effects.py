"""Main effects of a sweep, by hand."""

from typing import Any

import numpy as np
import pytest

from audiosurvey.comparison.benchmark import make_benchmarks
from audiosurvey.comparison.effects import main_effects
from audiosurvey.comparison.sources import find_rows


def test_a_sweep_of_two_keys(make_survey):
    given = {
        ("a", 0): {"accuracy": 0.70, "sweep": {"train.lr": 0.01, "loss.name": "bce"}},
        ("b", 0): {"accuracy": 0.80, "sweep": {"train.lr": 0.01, "loss.name": "ce"}},
        ("c", 0): {"accuracy": 0.75, "sweep": {"train.lr": 0.1, "loss.name": "bce"}},
        ("d", 0): {"accuracy": 0.90, "sweep": {"train.lr": 0.1, "loss.name": "ce"}},
        ("d", 1): {"accuracy": 0.85, "sweep": {"train.lr": 0.1, "loss.name": "ce"}},
        ("e", 0): {"accuracy": 0.60, "sweep": {"train.lr": 1.0, "loss.name": "ce"}},
    }
    for row in given.values():
        row["config"] = "one"
    (found,) = make_benchmarks(find_rows([make_survey(given)]), (), [].append)
    scores = {model.name: model.fold_scores_J for model in found.models}
    effects = {(one.key, one.value): one for one in main_effects(found.models)}
    assert list(effects) == [("train.lr", 0.1), ("train.lr", 1.0), ("loss.name", "ce")]
    by_hand = ((scores["c"] - scores["a"]) + (scores["d"] - scores["b"])) / 2
    lr: Any = effects["train.lr", 0.1]
    assert (lr.reference, lr.pairs) == (0.01, 2)
    assert lr.difference.mean == pytest.approx(by_hand.mean())
    half = 2.776445 * by_hand.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    assert lr.difference.high - lr.difference.mean == pytest.approx(half, rel=1e-5)
    assert effects["train.lr", 1.0].pairs == 1
    assert effects["train.lr", 1.0].difference.mean == pytest.approx((scores["e"] - scores["b"]).mean())
    by_hand = ((scores["b"] - scores["a"]) + (scores["d"] - scores["c"])) / 2
    assert effects["loss.name", "ce"].difference.mean == pytest.approx(by_hand.mean())


def test_models_of_two_surveys_are_not_paired(make_survey):
    surveys = []
    for number, (low, high) in enumerate(((0.5, 0.9), (0.8, 0.6))):
        rows = {
            ("a", 0): {"accuracy": low, "sweep": {"train.lr": 0.01}, "config": "one"},
            ("b", 0): {"accuracy": high, "sweep": {"train.lr": 0.1}, "config": "one"},
        }
        surveys.append(make_survey(rows, name=f"survey-{number}"))
    (found,) = make_benchmarks(find_rows(surveys), (), [].append)
    scores = {model.name: model.fold_scores_J for model in found.models}
    (effect,) = main_effects(found.models)
    by_hand = [scores[f"survey-{number}/b"] - scores[f"survey-{number}/a"] for number in (0, 1)]
    assert effect.pairs == 2
    assert effect.difference.mean == pytest.approx(np.mean(by_hand))


def test_values_that_are_lists_and_several_configs(make_survey):
    given = {
        ("a", 0): {"accuracy": 0.7, "sweep": {"x": [1, 2]}, "config": "one"},
        ("b", 0): {"accuracy": 0.8, "sweep": {"x": [3]}, "config": "one"},
        ("c", 0): {"accuracy": 0.9, "sweep": {"x": [3]}, "config": "two"},
    }
    (found,) = make_benchmarks(find_rows([make_survey(given)]), (), [].append)
    assert [(one.key, one.value, one.reference, one.pairs) for one in main_effects(found.models)] == [
        ("x", [3], [1, 2], 1),
        ("config", "two", "one", 1),
    ]


def test_without_a_sweep_there_are_none(make_run):
    (found,) = make_benchmarks(find_rows([make_run("a"), make_run("b", 0.7)]), (), [].append)
    assert main_effects(found.models) == []
