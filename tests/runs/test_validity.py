"""What is said of uneven classes: the baseline, the classes never recognised, and the key that helps."""

from typing import Any

import pytest

from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.validity import imbalance

COUNTS = [[382, 0, 0], [40, 0, 0], [9, 0, 0]]


def run(confusion: list[list[int]] | None = COUNTS, **config: Any) -> RunResults:
    train = {"sampling": "shuffle", "head_only": False} | config.pop("train", {})
    value = {
        "dataset": {"name": "folder", "subset": None, "hash": "abc"},
        "official": False,
        "not_official": None,
        "selection": "last",
        "optimistic": False,
        "leaking": False,
        "config": {"train": train, "loss": {}, **config},
        "all_folds": [1],
        "as_published": False,
        "classes": ["robin", "wren", "owl"],
        "multi_label": confusion is None,
        "folds": [],
        "mean": {},
        "std": {},
        "seconds": 1.0,
        "confusion": confusion,
        "skipped": [],
        "notes": [],
    }
    return RunResults.model_validate(value)


def test_always_the_largest_class():
    assert imbalance(run()) == [
        "uneven classes: always 'robin' gives accuracy 0.886, balanced accuracy 0.333",
        "never recognised: wren (40 clips), owl (9 clips)",
        "set train.sampling: balanced to train all classes equally often",
    ]


@pytest.mark.parametrize(
    "config",
    [{"train": {"sampling": "balanced"}}, {"loss": {"class_weights": "balanced"}}, {"train": {"head_only": True}}],
)
def test_the_key_is_named_only_if_it_would_change_something(config: dict[str, Any]):
    assert not any("train.sampling" in line for line in imbalance(run(**config)))


def test_classes_of_similar_size():
    assert imbalance(run([[10, 0, 0], [1, 10, 0], [0, 0, 9]])) == []
    assert imbalance(run([[10, 0, 0], [10, 0, 0], [0, 0, 9]])) == ["never recognised: wren (10 clips)"]


def test_nothing_is_said_of_several_labels_without_scores_of_classes():
    assert imbalance(run(None)) == []
