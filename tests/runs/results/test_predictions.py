"""predictions.csv: columns, labels, and that what is written is read back."""

import csv
from pathlib import Path

import numpy as np

from audiosurvey.data.table import Clip
from audiosurvey.runs.results.predictions import read_predictions, write_predictions

CLASSES = ("dog", "sea, waves", 'a "quoted" one', "дождь")
CLIPS = (
    Clip("a/1.wav", Path("1.wav"), (0,), fold=2),
    Clip("a/2, b.wav#0.500-1.500", Path("2.wav"), (1, 3), fold=2),
    Clip("1e5.wav", Path("3.wav"), (), fold=2),
)
SCORES = np.array([[0.1, 0.2, 0.3, 0.4], [1e-9, 1 / 3, 0, 1], [0.25, 0.25, 0.25, 0.25]], dtype=np.float32)


def test_columns_and_labels(tmp_path):
    write_predictions(tmp_path / "predictions.csv", CLIPS, 2, CLASSES, SCORES)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["clip", "fold", "label", "source", *(f"p:{name}" for name in CLASSES)]
    assert [row["clip"] for row in rows] == [clip.id for clip in CLIPS]
    assert [row["fold"] for row in rows] == ["2", "2", "2"]
    assert [row["label"] for row in rows] == ["dog", "sea, waves|дождь", ""]
    assert float(rows[0]['p:a "quoted" one']) == np.float32(0.3)


def test_float32_is_read_back_to_the_bit(tmp_path):
    path = tmp_path / "predictions.csv"
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(4), size=3).astype(np.float32)
    write_predictions(path, CLIPS, 1, CLASSES, scores)
    names, labels, again = read_predictions(path)
    assert names == [clip.id for clip in CLIPS]
    assert labels == ["dog", "sea, waves|дождь", ""]
    assert again.dtype == np.float32
    assert np.array_equal(again, scores)


def test_nothing_is_left_beside_it(tmp_path):
    write_predictions(tmp_path / "predictions.csv", CLIPS, 1, CLASSES, SCORES)
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]
