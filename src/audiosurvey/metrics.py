"""Metrics: pure functions of scores (N, K) and what is true. Public; the metrics of results.json."""

from audiosurvey.training.metrics import (
    accuracy,
    auroc,
    confusion,
    cross_entropy,
    evaluate,
    mean_average_precision,
    recall,
    top_k_accuracy,
)

__all__ = [
    "accuracy",
    "auroc",
    "confusion",
    "cross_entropy",
    "evaluate",
    "mean_average_precision",
    "recall",
    "top_k_accuracy",
]
