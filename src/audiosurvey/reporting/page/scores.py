"""Scores on the page: the mean over folds with its interval, scores of classes, reliability, and learning curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiosurvey.comparison.stats.bootstrap import (
    accuracy_interval,
    interval,
    recording_counts,
    recording_indices,
    weighted_average_precision,
)
from audiosurvey.randomness import stream
from audiosurvey.reporting.page.charts import Axis, Chart, Dot, Kind, Line
from audiosurvey.runs.results.predictions import PredictionTable
from audiosurvey.runs.results.results import RunResults
from audiosurvey.training.metrics import BINS, expected_calibration_error

_DRAWS = 400
"""Of a bootstrap."""
_Z = 1.959964
"""Two-sided 95 % of the normal distribution."""


@dataclass(frozen=True)
class ScoreEstimate:
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """How well one class is recognised."""

    name: str
    clips: int
    """Test clips with this class."""
    recordings: int
    score: ScoreEstimate | None
    """Recall, or average precision of data with several labels; None for a class without clips, or in all clips."""


def tested_per_trained(results: RunResults) -> float:
    """Clips of a test fold over clips trained on, the mean over the folds."""
    ratios = [row.clips / row.train_clips for row in results.folds if row.train_clips]
    return float(np.mean(ratios)) if ratios else 0.0


def wilson(share: float, trials: int) -> ScoreEstimate:
    """The 95 % Wilson interval of a share of `trials` independent trials, which need not be a whole number of them.

    Source: Wilson 1927 ("Probable inference, the law of succession, and statistical inference").
    """
    z2 = _Z**2 / trials
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z / (1 + z2) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials))
    return ScoreEstimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def class_scores(tables: Sequence[PredictionTable], multi_label: bool) -> list[ClassScore]:
    """A row for each class: recall, or with several labels a clip average precision.

    Clips of one recording are not independent. So the interval of a recall counts recordings as trials, not clips, and
    that of an average precision is a bootstrap over recordings.
    """
    truth_NK = np.concatenate([table.truth_NK for table in tables])
    scores_NK = np.concatenate([table.scores_NK for table in tables])
    recording_N = recordings_of(tables)
    weights_BN = _bootstrap(recording_N) if multi_label else np.empty((0, len(recording_N)))
    best_N = scores_NK.argmax(axis=1)
    found: list[ClassScore] = []
    for k, name in enumerate(tables[0].classes):
        rows = np.flatnonzero(truth_NK[:, k])
        sources = len(set(recording_N[rows].tolist()))
        score = None
        if len(rows) and not multi_label:
            score = wilson(float((best_N[rows] == k).mean()), sources)
        elif 0 < len(rows) < len(truth_NK):
            score = _average_precision(scores_NK[:, k], truth_NK[:, k], weights_BN)
        found.append(ClassScore(name, len(rows), sources, score))
    return found


def _bootstrap(recording_N: np.ndarray) -> np.ndarray:
    """Weights (B, N) of the clips: how often the recording of each was drawn."""
    rng = stream(0, "report", "classes")
    counts = recording_counts(int(recording_N.max()) + 1, _DRAWS, rng)
    return np.concatenate(list(counts))[:, recording_N].astype(np.float64)


def _average_precision(score_N: np.ndarray, truth_N: np.ndarray, weights_BN: np.ndarray) -> ScoreEstimate:
    whole_BN = np.concatenate([np.ones((1, len(score_N))), weights_BN])
    value, *drawn = weighted_average_precision(score_N, truth_N, whole_BN).tolist()
    low, high = interval(np.array([one for one in drawn if math.isfinite(one)] or [value]))
    return ScoreEstimate(value, min(low, value), max(high, value))


def over_recordings(tables: Sequence[PredictionTable]) -> tuple[float, float]:
    """The 95 % interval of the accuracy, mean over folds, by the bootstrap over source recordings of `compare`."""
    right = [table.truth_NK[np.arange(len(table.clips)), table.scores_NK.argmax(axis=1)] for table in tables]
    fold_N = np.repeat(np.arange(len(tables)), [len(table.clips) for table in tables])
    return accuracy_interval(np.concatenate(right), fold_N, recordings_of(tables))


def recordings_of(tables: Sequence[PredictionTable]) -> np.ndarray:
    """The recording of each clip as an index (N). A clip without a known recording is its own."""
    clips = [clip for table in tables for clip in table.clips]
    return recording_indices(clips, [name for table in tables for name in table.sources])


def reliability(tables: Sequence[PredictionTable], binary: bool) -> tuple[Chart, float]:
    """Share of correct answers against their mean score, in bins of the score, and the expected calibration error.

    `binary`: every score of every class counts; otherwise the highest of each clip.
    """
    truth_NK = np.concatenate([table.truth_NK for table in tables]).astype(np.float64)
    scores_NK = np.concatenate([table.scores_NK for table in tables])
    if binary:
        said_N, right_N = scores_NK.ravel(), truth_NK.ravel()
    else:
        best_N = scores_NK.argmax(axis=1)
        said_N, right_N = scores_NK.max(axis=1), truth_NK[np.arange(len(best_N)), best_N]
    place_N = np.minimum((said_N * BINS).astype(int), BINS - 1)
    dots: list[Dot] = []
    for place in range(BINS):
        inside = place_N == place
        if count := int(inside.sum()):
            mean, share = float(said_N[inside].mean()), float(right_N[inside].mean())
            spread = wilson(share, count)
            title = f"scores {place / BINS:.2f} to {(place + 1) / BINS:.2f}: mean {mean:.3f}, correct {share:.3f}, "
            title += f"{count} {'scores' if binary else 'clips'}"
            radius = 2.5 + 5 * math.sqrt(count / len(said_N))
            dots.append(Dot(mean, share, "a", title, low=spread.low, high=spread.high, radius=round(radius, 1)))
    axes = (Axis.around("mean score", [], low=0, high=1), Axis.around("share correct", [], low=0, high=1))
    guide = Line([(0, 0), (1, 1)], "guide", "perfectly calibrated")
    error = expected_calibration_error(scores_NK, truth_NK, binary)
    return Chart("Reliability", *axes, [guide], dots), error


def learning_curves(histories: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[Chart]:
    """Loss and score over the epochs: a thin line for each fold, their mean on top."""
    keys = {key for history in histories.values() for record in history for key in record}
    held = "val" if "val_loss" in keys else "test"
    main = "map" if f"{held}_map" in keys else "accuracy"
    fold = "validation fold" if held == "val" else "test fold"
    loss = _curves(histories, ("train_loss", "a", "training, augmented"), (f"{held}_loss", "b", fold))
    score = _curves(histories, ("train_accuracy", "a", "training, augmented"), (f"{held}_{main}", "b", fold))
    epochs = [record["epoch"] for history in histories.values() for record in history]
    if not epochs:
        return []
    x = Axis.around("epoch", epochs, low=min(epochs), high=max(epochs), whole=True)
    charts: list[Chart] = []
    if values := [value for line in loss for _, value in line.points]:
        charts.append(Chart("Loss", x, Axis.around("loss (nats)", values, low=min(0.0, *values)), loss))
    if any(line.points for line in score):
        y = Axis.around("mAP" if main == "map" else "accuracy", [], low=0.0, high=1.0)
        charts.append(Chart("Score", x, y, score))
    return charts


def _curves(histories: Mapping[int, Sequence[Mapping[str, Any]]], *shown: tuple[str, Kind, str]) -> list[Line]:
    lines: list[Line] = []
    for key, kind, name in shown:
        curves = [_points(history, key) for history in histories.values()]
        curves = [curve for curve in curves if curve]
        if len(curves) > 1:
            lines += [Line(curve, "faint-a" if kind == "a" else "faint-b") for curve in curves]
        by_epoch: dict[float, list[float]] = {}
        for epoch, value in (point for curve in curves for point in curve):
            by_epoch.setdefault(epoch, []).append(value)
        if by_epoch:
            mean = [(epoch, float(np.mean(by_epoch[epoch]))) for epoch in sorted(by_epoch)]
            lines.append(Line(mean, kind, name))
    return lines


def _points(history: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    found = [(record["epoch"], record.get(key)) for record in history]
    return [(epoch, value) for epoch, value in found if isinstance(value, int | float) and math.isfinite(value)]
