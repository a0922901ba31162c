"""The table of recording conditions on the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

_TITLES = {"accuracy": "accuracy", "map": "mAP"}


def print_conditions(found: dict[str, Any], console: Console) -> None:
    """A row a condition: the metric and the mean score of the best label, over the folds; `found`: conditions.json."""
    folds = [row["fold"] for row in found["folds"]]
    named = f"folds {', '.join(map(str, folds))}" if len(folds) > 1 else f"fold {folds[0]}"
    table = RichTable(title=f"test clips recorded otherwise, {named}", title_justify="left")
    table.add_column("condition")
    table.add_column(_TITLES[found["metric"]], justify="right")
    table.add_column("mean score", justify="right")
    for row in found["mean"]:
        table.add_row(row["name"], _number(row[found["metric"]], 3), _number(row["mean_score"], 2))
    console.print(table)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
