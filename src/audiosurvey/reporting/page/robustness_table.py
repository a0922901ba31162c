"""The robustness of a run as a table: a row for each corruption, a column for each severity."""

from collections.abc import Sequence
from typing import Any

from audiosurvey.analysis.robustness_results import CorruptionScores, RobustnessResults, SeverityScore
from audiosurvey.errors import number_of


def robustness_table(results: RobustnessResults) -> dict[str, Any]:
    """The values that the page shows."""
    metric = "mAP" if results.metric == "map" else "accuracy"
    severities = max((len(row.cells) for row in results.corruptions), default=0)
    counted = [row for row in results.corruptions if row.in_mean]
    words = number_of(len(counted), "corruption")
    summary = f"{metric[0].upper()}{metric[1:]} {_number(results.clean.score)} on clean test clips, "
    summary += f"{_number(results.mean_score)} as the mean over {words} and {severities} severities"
    if results.mean_relative_loss is not None:
        summary += f" ({_change(results.mean_relative_loss)})"
    summary += f". Calibration error {_number(results.clean.calibration_error)} clean, "
    summary += f"{_number(results.mean_calibration_error)} corrupted."
    if left_out := [row.title for row in results.corruptions if not row.in_mean]:
        summary += f" Not in the mean: {', '.join(left_out)}."
    baseline = results.baseline
    if baseline is not None:
        summary += f" Mean corruption error against {baseline.run}, {_folds(baseline.folds)}: "
        summary += f"{_number(baseline.mean_corruption_error)} (below 1 is better)."
    caption = f"{metric[0].upper()}{metric[1:]} with each corruption, its change and the level; "
    caption += f"{_folds([fold.fold for fold in results.folds])}. The darker, the more is lost."
    return {
        "summary": summary,
        "caption": caption,
        "severities": list(range(1, severities + 1)),
        "compared": baseline is not None,
        "rows": [_row(row, results) for row in results.corruptions],
    }


def _row(row: CorruptionScores, results: RobustnessResults) -> dict[str, Any]:
    errors = [cell.calibration_error for cell in row.cells]
    known = [error for error in errors if error is not None]
    calibration = sum(known) / len(known) if known and len(known) == len(errors) else None
    ratio = None if results.baseline is None else results.baseline.corruption_errors.get(row.name)
    return {
        "title": row.title,
        "quantity": row.quantity,
        "cells": [_cell(cell) for cell in row.cells],
        "calibration": _number(calibration),
        "error": _number(ratio),
    }


def _cell(cell: SeverityScore) -> dict[str, Any]:
    change = "" if cell.relative_loss is None else f" ({_change(cell.relative_loss)})"
    level = "" if cell.level is None else f"{cell.level:g}"
    loss = min(max(cell.relative_loss or 0.0, 0.0), 1.0)
    return {"text": f"{_number(cell.score)}{change}", "level": level, "loss": loss}


def _folds(folds: Sequence[int]) -> str:
    return f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"


def _change(loss: float) -> str:
    """`-30 %`: how the score changes relative to that of the clean clips."""
    percent = round(-100 * loss)
    return f"{percent:+d} %" if percent else "0 %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
