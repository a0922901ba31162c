"""Robustness of a run on the terminal: a row for each corruption, a column for each severity"""

from rich.console import Console

from audiosurvey.analysis.robustness_results import CorruptionScores, RobustnessResults, SeverityScore
from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable
from audiosurvey.pages.units import duration


def print_robustness(found: RobustnessResults, console: Console) -> None:
    """Score and relative loss of each severity, calibration error, and corruption error against the baseline."""
    metric = "mAP" if found.metric == "map" else "accuracy"
    folds = [fold.fold for fold in found.folds]
    named = f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"
    console.print(f"{metric} on corrupted test clips, {named}, and its change", soft_wrap=True, markup=False)
    clean = ["none", _number(found.clean.score), "", "", "", "", _number(found.clean.calibration_error), ""]
    rows = [clean, *([*_cells(row), *_against(found, row)] for row in found.corruptions)]
    titles = ("corruption", "1", "2", "3", "4", "5", "cal. error", "error / baseline")
    cells = zip(*rows, strict=True)
    columns = [
        Column(title, own, "text" if title == "corruption" else "number")
        for title, own in zip(titles, cells, strict=True)
    ]
    console.print(FittedTable(columns))
    for line in robustness_lines(found):
        console.print(line, soft_wrap=True, markup=False)


def robustness_lines(found: RobustnessResults) -> list[str]:
    """What is said below the table."""
    counted = [row for row in found.corruptions if row.in_mean]
    lines = [
        f"mean over {len(counted)} corruptions and 5 severities: {_number(found.mean_score)}, relative loss "
        f"{_percent(found.mean_relative_loss)}, calibration error {_number(found.mean_calibration_error)}"
    ]
    if left_out := [row.title for row in found.corruptions if not row.in_mean]:
        lines.append(f"not in the mean: {', '.join(left_out)} (not every machine can make it)")
    if found.baseline:
        mean = _number(found.baseline.mean_corruption_error)
        folds = ", ".join(map(str, found.baseline.folds))
        lines.append(
            f"mean corruption error: {mean} of that of {found.baseline.run}, folds {folds} (below 1: more robust)"
        )
    for row, cell in found.out_of_order():
        lines.append(
            f"note: {row.title}: severity {cell.severity} scores better than the one before by more than a standard "
            "error"
        )
    lines.append(f"{duration(found.seconds)} for {sum(fold.clips for fold in found.folds)} clips")
    return lines


def _cells(row: CorruptionScores) -> list[str]:
    errors = [cell.calibration_error for cell in row.cells if cell.calibration_error is not None]
    mean = sum(errors) / len(errors) if errors else None
    levels = f"{row.cells[0].level:g} to {row.cells[-1].level:g}"
    return [f"{row.title}\n{row.quantity}: {levels}", *map(_cell, row.cells), _number(mean)]


def _cell(cell: SeverityScore) -> str:
    return f"{_number(cell.score)}\n{_percent(cell.relative_loss, negated=True)}"


def _against(found: RobustnessResults, row: CorruptionScores) -> list[str]:
    return [_number(found.baseline.corruption_errors.get(row.name), 2) if found.baseline else ""]


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None, *, negated: bool = False) -> str:
    if value is None:
        return "-"
    percent = round(-100 * value if negated else 100 * value)
    return f"{percent:+d} %" if negated and percent else f"{percent} %"
