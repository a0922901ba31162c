"""The confusion matrix and the lists behind its cells."""

from pathlib import Path

import numpy as np

from audiosurvey.reporting.page.confusion import MOST_CLASSES, confusion_table, listed_clips
from audiosurvey.runs.results.predictions import PredictionTable


def test_cells_by_hand():
    found = confusion_table(np.array([[3, 1, 0], [0, 0, 0], [2, 0, 2]]), ["a", "b", "c"])
    name, clips, recall, cells = found.rows[0]
    assert (name, clips, recall) == ("a", 4, 0.75)
    assert [(cell.count, cell.share, cell.right) for cell in cells] == [
        (3, 0.75, True),
        (1, 0.25, False),
        (0, 0, False),
    ]
    assert found.rows[1][1:3] == (0, None)
    assert found.largest == ((2, 0, 2), (0, 1, 1))


def test_very_many_classes_are_a_list():
    counts_KK = np.eye(MOST_CLASSES + 1, dtype=int)
    counts_KK[3, 5] = 7
    found = confusion_table(counts_KK, [str(k) for k in range(MOST_CLASSES + 1)])
    assert found.rows == ()
    assert found.largest == ((3, 5, 7),)


def test_mistakes_are_listed_first():
    truth_NK = np.eye(2, dtype=bool)[[0, 0, 1]]
    scores_NK = np.array([[0.9, 0.1], [0.3, 0.7], [0.8, 0.2]])
    table = PredictionTable(
        Path("x"), ("r", "w", "v"), ("s", None, None), np.array([1, 2, 2]), ("a", "b"), truth_NK, scores_NK
    )
    rows = [one.as_json(sound) for one, sound in zip(listed_clips([table], 9)[0], (4, None, None), strict=True)]
    assert rows == [
        ["v", None, 2, 1, 0, 0.8, 0.2, 4],
        ["w", None, 2, 0, 1, 0.7, 0.3, None],
        ["r", "s", 1, 0, 0, 0.9, 0.9, None],
    ]


def test_correct_clips_are_listed_up_to_a_limit():
    truth_NK = np.eye(2, dtype=bool)[[0, 0, 0, 1, 1]]
    scores_NK = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.6, 0.4], [0.2, 0.8]])
    table = PredictionTable(Path("x"), tuple("vwxyz"), (None,) * 5, np.ones(5, int), ("a", "b"), truth_NK, scores_NK)
    found, left = listed_clips([table], most_right=2)
    assert ([one.clip for one in found], left) == (["x", "y", "v", "z"], 1)
    assert listed_clips([table], most_right=9)[1] == 0
