"""The layers of an encoder on the terminal: learned weights, and how well a probe on each layer alone does."""

from rich.console import Console

from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable
from audiosurvey.runs.results.layer_scores import mean_layers
from audiosurvey.runs.results.results import RunResults
from audiosurvey.training.metrics import METRICS


def print_layers(results: RunResults, console: Console) -> None:
    """A row for each layer, means over the folds, and which clips they are from. Prints nothing without layers."""
    rows = mean_layers([row.layers for row in results.folds])
    if not rows:
        return
    measured = METRICS["map" if results.multi_label else "accuracy"].title
    columns = [
        Column("layer", tuple(str(row.layer) for row in rows), "text"),
        Column("weight", tuple(f"{row.weight:.3f}" for row in rows)),
    ]
    scores = {row.layer: row.score for row in rows if row.score is not None}
    if scores:
        columns.append(Column(f"{measured} alone", tuple(f"{score:.4f}" for score in scores.values())))
    over = ", mean over folds" if len(results.folds) > 1 else ""
    console.print(f"layers of the encoder{over} (0: before the first)", soft_wrap=True, markup=False)
    console.print(FittedTable(columns))
    if not scores:
        return
    best = max(scores, key=lambda layer: scores[layer])
    for line in (
        f"Best layer: {best}. '{measured} alone' is that of a linear probe on one layer, cross-validated within the "
        "training clips",
        _mark([row.fold for row in results.folds]),
    ):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _mark(folds: list[int]) -> str:
    """What a choice by the table has used."""
    if len(folds) == 1:
        return f"No test clip of fold {folds[0]} was used; the labels of the other folds were"
    used = ", ".join(map(str, folds))
    mark = f"if you choose a layer by it, set protocol.tuned_on: [{used}]"
    return f"The mean over folds uses the labels of all clips: {mark}"
