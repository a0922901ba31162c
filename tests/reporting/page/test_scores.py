"""Scores on the page: intervals against scipy, classes by hand, reliability against the calibration error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score

from audiosurvey.comparison.compare import compare_paths
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.data.table import Clip
from audiosurvey.reporting.page.scores import (
    class_scores,
    learning_curves,
    over_recordings,
    recordings_of,
    reliability,
    wilson,
)
from audiosurvey.runs.results.predictions import PredictionTable, read_prediction_table, write_predictions
from audiosurvey.training.metrics import expected_calibration_error


def table(truth_NK: np.ndarray, scores_NK: np.ndarray, sources: list[str | None] | None = None) -> PredictionTable:
    clips = tuple(f"{n}.wav" for n in range(len(truth_NK)))
    classes = tuple("abcdefgh"[: truth_NK.shape[1]])
    folds_N = np.ones(len(clips), int)
    return PredictionTable(
        Path("predictions.csv"),
        clips,
        tuple(sources or [None] * len(clips)),
        folds_N,
        classes,
        truth_NK.astype(bool),
        scores_NK.astype(np.float64),
    )


def some_table(seed: int = 0, clips: int = 60, classes: int = 3) -> PredictionTable:
    rng = np.random.default_rng(seed)
    truth_NK = np.eye(classes)[rng.integers(classes, size=clips)]
    return table(truth_NK, rng.dirichlet(np.ones(classes), size=clips))


@given(st.integers(1, 200), st.floats(0, 1))
def test_wilson_is_that_of_scipy(trials: int, share: float):
    hits = round(share * trials)
    found = wilson(hits / trials, trials)
    expected = binomtest(hits, trials).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_recall_counts_recordings():
    truth_NK = np.eye(2)[[0, 0, 0, 0, 1, 1]]
    scores_NK = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.4, 0.6]])
    (a, b) = class_scores([table(truth_NK, scores_NK, ["x", "x", "y", "y", None, None])], multi_label=False)
    assert (a.name, a.clips, a.recordings) == ("a", 4, 2)
    assert a.score == wilson(0.75, 2)
    # Clips of no known recording are their own.
    assert (b.clips, b.recordings) == (2, 2)
    assert b.score == wilson(1.0, 2)


def test_a_class_without_clips_has_no_score():
    assert class_scores([table(np.array([[1, 0], [1, 0]]), np.array([[0.6, 0.4]] * 2))], False)[1].score is None


def test_average_precision_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth_NK, scores_NK = rng.random((80, 3)) < 0.3, rng.random((80, 3)).round(2)
    sources = [f"recording {n // 2}" for n in range(80)]
    rows = class_scores([table(truth_NK, scores_NK, sources)], multi_label=True)
    for k, row in enumerate(rows):
        assert row.score is not None
        assert row.score.value == pytest.approx(average_precision_score(truth_NK[:, k], scores_NK[:, k]))
        assert row.score.low < row.score.value < row.score.high


def test_recordings_of_one_name_are_one():
    parts = [table(np.eye(2), np.eye(2), ["x", None]), table(np.eye(2), np.eye(2), ["x", "0.wav"])]
    found = recordings_of(parts).tolist()
    assert found[0] == found[2]
    assert len(set(found)) == 3


def test_the_interval_over_recordings_contains_the_mean():
    some = [some_table(0), some_table(1)]
    mean = np.mean([(one.scores_NK.argmax(1) == one.truth_NK.argmax(1)).mean() for one in some])
    low, high = over_recordings(some)
    assert 0 < low < mean < high < 1


@pytest.mark.parametrize("binary", [False, True])
def test_reliability_adds_up_to_the_calibration_error(binary: bool):
    one = some_table()
    chart, error = reliability([one], binary)
    assert error == pytest.approx(expected_calibration_error(one.scores_NK, one.truth_NK.astype(float), binary))
    counts = [int(dot.title.split(", ")[-1].split()[0]) for _, _, _, dot in chart.dots]
    gaps = [abs(dot.x - dot.y) for _, _, _, dot in chart.dots]
    assert sum(counts) == (180 if binary else 60)
    assert np.dot(counts, gaps) / sum(counts) == pytest.approx(error)


def test_curves_have_a_line_for_each_fold_and_their_mean():
    histories = {
        1: [{"epoch": 1, "train_loss": 2.0, "test_loss": 1.0, "test_accuracy": 0.4}, {"epoch": 2, "train_loss": 1.0}],
        2: [{"epoch": 1, "train_loss": 4.0, "test_loss": float("nan"), "test_accuracy": 0.6}],
    }
    loss, score = learning_curves(histories)
    assert [(line.kind, line.points) for _, line in loss.lines] == [
        ("faint-a", [(1, 2.0), (2, 1.0)]),
        ("faint-a", [(1, 4.0)]),
        ("a", [(1, 3.0), (2, 1.0)]),
        ("b", [(1, 1.0)]),
    ]
    assert [line.points for _, line in score.lines][-1] == [(1, 0.5)]
    assert [name for _, name in loss.legend] == ["training, augmented", "test fold"]
    assert learning_curves({1: []}) == []


def test_the_interval_over_recordings_is_that_of_compare(tmp_path):
    rng = np.random.default_rng(4)
    folds = [f"fold-{fold}" for fold in (1, 2)]
    for fold, name in enumerate(folds, start=1):
        # Recordings and clips in no order, and some clips of no known recording.
        clips = [
            Clip(
                f"{n}.wav", Path("x"), (int(rng.integers(3)),), fold=fold, source=f"r{fold}-{n // 3}" if n % 5 else None
            )
            for n in rng.permutation(60)
        ]
        (tmp_path / name).mkdir()
        scores_NK = rng.dirichlet(np.ones(3), len(clips))
        clips = [replace(clip, id=f"{fold}-{clip.id}") for clip in clips]
        write_predictions(tmp_path / name / "predictions.csv", clips, fold, "abc", scores_NK)
    (dataset,) = compare_paths([tmp_path], CompareOptions()).datasets
    expected = dataset.models[0].bootstrap
    tables = [read_prediction_table(tmp_path / name / "predictions.csv") for name in folds]
    assert over_recordings(tables) == (expected.low, expected.high)
