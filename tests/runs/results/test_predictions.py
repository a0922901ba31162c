"""predictions.csv: columns, labels, and that what is written is read back."""

import csv
from pathlib import Path

import numpy as np
import pytest

from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.runs.results.predictions import read_prediction_table, read_predictions, write_predictions

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
    assert list(rows[0]) == ["clip", "source", "fold", "label", "predicted", *(f"p:{name}" for name in CLASSES)]
    assert [row["clip"] for row in rows] == [clip.id for clip in CLIPS]
    assert [row["fold"] for row in rows] == ["2", "2", "2"]
    assert [row["label"] for row in rows] == ["dog", "sea, waves|дождь", ""]
    assert [row["predicted"] for row in rows] == ["дождь", "дождь", "dog"]
    assert float(rows[0]['p:a "quoted" one']) == np.float32(0.3)


def test_several_labels_are_predicted_from_a_score_of_a_half_on(tmp_path):
    scores = np.array([[0.5, 0.49, 0.9, 0], [0.1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float32)
    write_predictions(tmp_path / "predictions.csv", CLIPS, 2, CLASSES, scores, multi_label=True)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        assert [row["predicted"] for row in csv.DictReader(file)] == ['dog|a "quoted" one', "", "дождь"]


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


def table(tmp_path: Path, text: str):
    path = tmp_path / "predictions.csv"
    path.write_text(text, encoding="utf-8")
    return read_prediction_table(path)


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_table_is_read_as_it_was_written(tmp_path, multi_label):
    clips = CLIPS if multi_label else tuple(Clip(f"{n}.wav", Path("x"), (n,), source=f"s{n // 2}") for n in range(3))
    write_predictions(tmp_path / "predictions.csv", clips, 2, CLASSES, SCORES, multi_label=multi_label)
    found = read_prediction_table(tmp_path / "predictions.csv")
    assert found.clips == tuple(clip.id for clip in clips)
    assert found.sources == tuple(clip.source for clip in clips)
    assert found.classes == CLASSES
    assert found.folds_N.tolist() == [2, 2, 2]
    assert [tuple(np.flatnonzero(row)) for row in found.truth_NK] == [clip.labels for clip in clips]
    assert np.array_equal(found.scores_NK.astype(np.float32), SCORES)
    assert found.multi_label == multi_label


def test_columns_may_come_in_any_order_and_some_may_be_missing(tmp_path):
    found = table(tmp_path, "fold;p:b;p:a;label;clip\n1;0.75;0.25;a;x.wav\n2;0.5;0.5;b;y.wav\n")
    assert found.classes == ("b", "a")
    assert found.sources == (None, None)
    assert found.folds_N.tolist() == [1, 2]
    assert found.truth_NK.tolist() == [[False, True], [True, False]]
    assert found.scores_NK.tolist() == [[0.75, 0.25], [0.5, 0.5]]


def test_a_class_may_hold_the_separator(tmp_path):
    found = table(tmp_path, "clip,fold,label,p:a|b,p:a,p:b\nx,1,a|b,1,0,0\ny,1,a,0,1,0\n")
    assert found.truth_NK.tolist() == [[True, False, False], [False, True, False]]


def test_a_file_of_an_earlier_version_is_read():
    found = read_prediction_table(Path(__file__).parents[2] / "fixtures/earlier/run/fold-1/predictions.csv")
    assert found.classes == ("rise", "trill", "fade")
    assert not found.multi_label


HEAD = "clip,source,fold,label,predicted,p:a,p:b\n"
FAULTY = {
    "label": ("x,,1,c,a,1,0", ":2: label: unknown class 'c': there is no column p:c"),
    "fold": ("x,,one,a,a,1,0", ":2: fold: 'one' is not a whole number"),
    "number": ("x,,1,a,a,1,high", ":2: p:b: 'high' is not a probability between 0 and 1"),
    "nan": ("x,,1,a,a,1,nan", ":2: p:b: 'nan' is not"),
    "range": ("x,,1,a,a,1,-0.1", ":2: p:b: '-0.1' is not"),
    "logit": ("x,,1,a,a,7.5,0", ":2: p:a: '7.5' is not"),
    "twice": ("x,,1,a,a,1,0\nx,,1,a,a,1,0", ":3: clip: 'x' is in line 2 too"),
    "no clip": (",,1,a,a,1,0", ":2: clip: empty"),
    "predicted": ("x,,1,a,b,0.9,0.1", ":2: predicted: 'b' does not have the highest score, 'a' has"),
    "empty cell": ("x,,1,a,a,1,", ":2: p:b: '' is not"),
}


@pytest.mark.parametrize(("row", "line"), FAULTY.values(), ids=FAULTY)
def test_a_fault_is_one_line_with_its_place(tmp_path, row, line):
    with pytest.raises(UserError) as caught:
        table(tmp_path, HEAD + row + "\n")
    assert len(caught.value.lines) == 1
    assert line in caught.value.lines[0]
    assert caught.value.lines[0].startswith((tmp_path / "predictions.csv").as_posix())


@pytest.mark.parametrize(
    ("text", "line"),
    [("clip,label,p:a\nx,a,1\n", "no column fold"), ("clip,fold,label\nx,1,a\n", "no column p:CLASS"), ("", "empty")],
)
def test_a_file_without_what_is_needed_is_refused(tmp_path, text, line):
    with pytest.raises(UserError, match=line):
        table(tmp_path, text)
