"""The robustness of a run as a table: a row for each corruption, a column for each severity."""

from typing import Any

from audiosurvey.analysis.robustness_results import Cell, RobustnessResults


def robustness_table(results: RobustnessResults) -> dict[str, Any]:
    """The values that the page shows."""
    metric = "mAP" if results.metric == "map" else "accuracy"
    rows = [
        {"title": row.title, "quantity": row.quantity, "cells": [_cell(cell, metric) for cell in row.cells]}
        for row in results.corruptions
    ]
    severities = max((len(row.cells) for row in results.corruptions), default=0)
    summary = f"{metric[0].upper()}{metric[1:]} {_number(results.clean.score)} on clean test clips, "
    summary += f"{_number(results.mean_score)} as the mean over all corruptions and severities"
    if results.mean_relative_loss is not None:
        summary += f" ({100 * results.mean_relative_loss:.1f} % lost)"
    summary += f". Calibration error {_number(results.clean.calibration_error)} clean, "
    summary += f"{_number(results.mean_calibration_error)} corrupted."
    if results.baseline is not None and results.baseline.mean_corruption_error is not None:
        against = f" Mean corruption error against {results.baseline.run}: {results.baseline.mean_corruption_error:.3f}"
        summary += f"{against} (below 1 is better)."
    folds = ", ".join(str(fold.fold) for fold in results.folds)
    plural = "s" if len(results.folds) > 1 else ""
    caption = f"{metric} with each corruption, and its level below; fold{plural} {folds}. The darker, the more is lost."
    return {"summary": summary, "caption": caption, "severities": list(range(1, severities + 1)), "rows": rows}


def _cell(cell: Cell, metric: str) -> dict[str, Any]:
    loss = cell.relative_loss or 0.0
    title = (
        f"{metric} {_number(cell.score)}, {100 * loss:.1f} % lost, calibration error {_number(cell.calibration_error)}"
    )
    level = "" if cell.level is None else f"{cell.level:g}"
    return {"text": _number(cell.score), "level": level, "loss": min(max(loss, 0.0), 1.0), "title": title}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
