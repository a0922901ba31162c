"""Metrics: pure functions of scores (N, K) and what is true. Public; the metrics of results.json."""

from audiosurvey.training.class_metrics import (
    auroc,
    aurocs,
    average_precisions,
    balanced_accuracy,
    confusion,
    decisions,
    f1,
    mean_average_precision,
    precision,
    recall,
)
from audiosurvey.training.metrics import (
    accuracy,
    cross_entropy,
    evaluate,
    expected_calibration_error,
    top_k_accuracy,
)

__all__ = [
    "accuracy",
    "auroc",
    "aurocs",
    "average_precisions",
    "balanced_accuracy",
    "confusion",
    "cross_entropy",
    "decisions",
    "evaluate",
    "expected_calibration_error",
    "f1",
    "mean_average_precision",
    "precision",
    "recall",
    "top_k_accuracy",
]
