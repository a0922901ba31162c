"""Tables on the terminal of single classes: their scores, worst first, and which of them are mixed up."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console

from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable
from audiosurvey.runs.results.class_scores import ByClass, ClassScores, worst_first
from audiosurvey.runs.results.mixed_up import MixedUp
from audiosurvey.training.class_metrics import mean_of

MOST_ROWS = 10
_EXAMPLES = 2


def print_classes(
    by_class: ByClass,
    console: Console,
    *,
    multi_label: bool,
    confusion: Sequence[Sequence[int]] | None = None,
    clips: str = "",
    more: str = "",
) -> None:
    """A row for each of the ten worst classes, then the means of all. Prints nothing without scores.

    `clips`: on which clips, if not on all; `more`: where the other classes are, if there are more.
    """
    ordered = worst_first(by_class, multi_label=multi_label)
    if not ordered:
        return
    rows = ordered[:MOST_ROWS] if len(ordered) > MOST_ROWS + 1 else ordered
    taken_for = {} if confusion is None else _taken_for(list(by_class), confusion)
    scores = [one for _, one in rows]
    of_all = [one for _, one in ordered]
    columns = [
        Column("class", (*(name for name, _ in rows), "mean"), "name"),
        Column("clips", (*(str(one.clips) for one in scores), "")),
        _column("recall", [one.recall for one in scores], [one.recall for one in of_all]),
        _column("precision", [one.precision for one in scores], [_zero_if_missed(one) for one in of_all]),
        _column("F1", [one.f1 for one in scores], [one.f1 for one in of_all]),
        _column("AP", [one.average_precision for one in scores], [one.average_precision for one in of_all]),
        _column("AUROC", [one.auroc for one in scores], [one.auroc for one in of_all]),
        Column("mostly taken for", (*(taken_for.get(name, "") for name, _ in rows), ""), "text"),
    ]
    by = "average precision (AP)" if multi_label else "F1"
    console.print(f"classes{clips}, worst first by {by}", soft_wrap=True, markup=False)
    console.print(FittedTable(columns, totals=1))
    if left := len(ordered) - len(rows):
        console.print(f"… and {left} more classes{more}", soft_wrap=True, markup=False)


def print_mixed_up(pairs: Sequence[MixedUp], console: Console, *, multi_label: bool, clips: str = "") -> None:
    """The pairs of classes that are mixed up most often, with two clips of each to listen to. Prints nothing without
    mistakes. `clips` as in `print_classes`."""
    if not pairs:
        return
    rows = pairs[:MOST_ROWS]
    columns = [
        Column("missed label" if multi_label else "class", tuple(one.label for one in rows), "name"),
        Column("false label" if multi_label else "taken for", tuple(one.predicted for one in rows), "name"),
        Column("clips", tuple(str(one.clips) for one in rows)),
        Column("of the class", tuple(f"{one.share:.0%}" for one in rows)),
        Column("examples", tuple("\n".join(one.examples[:_EXAMPLES]) for one in rows), "text"),
    ]
    title = "a label missed while another is given falsely" if multi_label else "classes that are mixed up"
    console.print(f"{title}{clips}, most often first", soft_wrap=True, markup=False)
    console.print(FittedTable(columns))
    if left := len(pairs) - len(rows):
        console.print(f"… and {left} more pairs", soft_wrap=True, markup=False)


def _column(title: str, shown: Sequence[float | None], of_all: Sequence[float | None]) -> Column:
    return Column(title, tuple("-" if value is None else f"{value:.3f}" for value in (*shown, mean_of(of_all))))


def _zero_if_missed(one: ClassScores) -> float | None:
    """The precision as it counts in the mean: 0 for a class that was never predicted although it occurs."""
    return 0.0 if one.precision is None and one.clips else one.precision


def _taken_for(classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> dict[str, str]:
    """The class that each is most often taken for, with the number of clips."""
    wrong_KK = np.asarray(confusion) * ~np.eye(len(classes), dtype=bool)
    best_K = wrong_KK.argmax(axis=1)
    return {
        name: f"{classes[best]} {wrong_KK[row, best]}"
        for row, (name, best) in enumerate(zip(classes, best_K, strict=True))
        if wrong_KK[row, best]
    }
