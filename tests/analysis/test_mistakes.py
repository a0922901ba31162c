"""The worst mistakes by hand."""

from pathlib import Path

import numpy as np
import pytest

from audiosurvey.analysis.mistakes import worst_mistakes
from audiosurvey.runs.results.predictions import PredictionTable


@pytest.fixture
def table() -> PredictionTable:
    truth_NK = np.array([[1, 0], [1, 0], [0, 0], [0, 0]], dtype=bool)
    scores_NK = np.array([[0.9, 0.6], [0.1, 0.7], [0.4, 0.2], [0.1, 0.8]])
    return PredictionTable(
        Path("x"), ("a", "b", "c", "d"), (None,) * 4, np.ones(4, int), ("x", "y"), truth_NK, scores_NK
    )


def test_the_most_confident_are_first(table: PredictionTable):
    found = worst_mistakes([table], 2)
    assert [(one.clip, one.labels, one.chosen, one.score) for one in found] == [
        ("d", (), "y", 0.8),
        ("b", ("x",), "y", 0.7),
    ]
    assert [one.clip for one in worst_mistakes([table], 9)] == ["d", "b", "c"]


def test_a_clip_without_a_predicted_class_is_no_mistake(table: PredictionTable):
    assert [one.clip for one in worst_mistakes([table], 9, multi_label=True)] == ["d", "b"]
