"""A reproduction in words: what differs, the folds, and the verdict."""

from collections.abc import Sequence

from rich.console import Console

from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable
from audiosurvey.reproduction.differences import Difference
from audiosurvey.reproduction.verdict import Reproduction


def difference_lines(differences: Sequence[Difference]) -> list[str]:
    """A line for each difference, before the training."""
    if not differences:
        return ["nothing that results depend on differs from the recorded run"]
    return ["what differs from the recorded run:", *(f"  {_line(one)}" for one in differences)]


def print_reproduction(found: Reproduction, console: Console) -> None:
    """A row per fold, then the verdict."""
    console.print(f"{_metric(found)} of {found.recorded.as_posix()}", soft_wrap=True, markup=False)
    columns = [
        Column("fold", tuple(str(fold.fold) for fold in found.folds), "text"),
        Column("recorded", tuple(f"{fold.recorded:.4f}" for fold in found.folds)),
        Column("now", tuple(f"{fold.now:.4f}" for fold in found.folds)),
        Column("difference", tuple("equal" if fold.equal else f"{fold.difference:+.4f}" for fold in found.folds)),
    ]
    console.print(FittedTable(columns))
    console.print(verdict_line(found), soft_wrap=True, markup=False)


def verdict_line(found: Reproduction) -> str:
    """`reproduced: ...`, the last line."""
    folds = [fold.fold for fold in found.folds]
    part = "" if folds == found.all_folds else f" ({len(folds)} of the {len(found.all_folds)} recorded folds)"
    if found.verdict == "equal":
        return f"equal to the last digit{part}"
    mean = f"mean difference of the folds {100 * found.mean_difference:+.2f} points"
    limit = "one point"
    if found.tolerance > 0.01:
        limit = f"{100 * found.tolerance:.2f} points (two standard deviations over {found.seeds} seeds)"
    if found.verdict == "reproduced":
        return f"reproduced: {mean}, within {limit}{part}"
    by_fold = ", ".join(f"fold {fold.fold} {100 * fold.difference:+.2f}" for fold in found.folds)
    return f"different: {mean}, more than {limit}: {by_fold}{part}"


def _line(one: Difference) -> str:
    if one.recorded is None:
        return f"{one.what}: not recorded" + (f", now {one.now}" if one.now is not None else "")
    return f"{one.what}: {one.recorded}, now {'none' if one.now is None else one.now}"


def _metric(found: Reproduction) -> str:
    return "mAP" if found.metric == "map" else "accuracy"
