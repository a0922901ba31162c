"""The result of a run as a table on the terminal, with the words that belong to the number."""

from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from audiosurvey.data.sets.registry import is_published
from audiosurvey.training.metrics import METRICS

_SHOWN = 5
"""Of clips that lie outside, so many are named."""
_TITLES = {name: metric.short or metric.title for name, metric in METRICS.items()}


def print_summary(results: dict[str, Any], console: Console, *, told: bool = False) -> None:
    """A row a fold, then mean and sample standard deviation; below it every caveat.

    Notes on the data, skipped clips and the licence follow, unless they were `told` before the run.
    """
    names = list(results["mean"])
    data = results["dataset"]
    label = data["name"] + (f" ({data['subset']})" if data["subset"] else "")
    table = RichTable(
        title=f"{label}, {len(results['classes'])} classes, selection: {results['selection']}", title_justify="left"
    )
    table.add_column("fold")
    for name in names:
        table.add_column(_TITLES[name], justify="right")
    for name in ("clips", "epochs", "seconds"):
        table.add_column(name, justify="right")
    for row in results["folds"]:
        cells = [_number(row[name]) for name in names]
        table.add_row(str(row["fold"]), *cells, str(row["clips"]), str(row["epochs"]), f"{row['seconds']:.0f}")
    if len(results["folds"]) > 1:
        table.add_section()
        table.add_row("mean", *[_number(results["mean"][name]) for name in names], "", "", f"{results['seconds']:.0f}")
        table.add_row("std", *[_number(results["std"][name]) for name in names], "", "", "")
    console.print(table)
    for said in caveats(results):
        console.print(said, soft_wrap=True)
    if told:
        return
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    for bad in results["skipped"]:
        console.print(f"skipped: {bad['clip']}: {bad['reason']}", soft_wrap=True, markup=False)
    if data.get("licence"):
        console.print(f"licence of the data: {data['licence']}", soft_wrap=True)


def print_evaluation(results: dict[str, Any], console: Console) -> None:
    """A model's scores on other data; where it was trained on some of the clips, both numbers and the words for it."""
    table = RichTable(title=f"{results['model']} on {results['dataset']['name']}", title_justify="left")
    table.add_column("")
    for name in ("clips", *(_TITLES[name] for name in results["metrics"])):
        table.add_column(name, justify="right")
    seen, unseen = results["trained_on"], results["metrics_unseen"]
    table.add_row("all", str(results["clips"]), *[_number(value) for value in results["metrics"].values()])
    if unseen:
        table.add_row(
            "not trained on", str(results["clips"] - len(seen)), *[_number(value) for value in unseen.values()]
        )
    console.print(table)
    if seen:
        rest = "the second row is without them" if unseen else "no other clips are left"
        console.print(
            f"the model was trained on the recordings of {len(seen)} of these clips, so the score over all is no test; "
            f"{rest}",
            soft_wrap=True,
        )
    for bad in results["skipped"]:
        console.print(f"skipped: {bad['clip']}: {bad['reason']}", soft_wrap=True, markup=False)
    if outside := results.get("outside"):
        more = "; --json lists all" if len(outside) > _SHOWN else ""
        count = f"{len(outside)} of {results['clips']} clips lie outside what the model was trained on{more}:"
        console.print(count, soft_wrap=True)
        for clip in outside[:_SHOWN]:
            console.print(f"  {clip['clip']}: {clip['note']}", soft_wrap=True, markup=False)


def print_runs(runs: list[dict[str, Any]], console: Console) -> None:
    """A row a run; `runs` as `Listed.as_dict` gives them."""
    table = RichTable()
    for title in ("run", "data", "model"):
        table.add_column(title, overflow="fold")
    for title in ("folds", "score", "minutes"):
        table.add_column(title, justify="right")
    table.add_column("to be said", overflow="fold")
    for run in runs:
        mean, std = run["mean"], run["std"]
        name = "map" if "map" in mean else "accuracy"
        score = "-"
        if mean.get(name) is not None:
            spread = f" ± {std[name]:.3f}" if std.get(name) is not None else ""
            score = f"{mean[name]:.3f}{spread}" + (" mAP" if name == "map" else "")
        folds = ", ".join(map(str, run["folds"])) or "none yet"
        minutes = f"{run['seconds'] / 60:.1f}"
        table.add_row(run["run"], run["dataset"], run["model"], folds, score, minutes, "; ".join(run["caveats"]))
    console.print(table)


def caveats(results: dict[str, Any]) -> list[str]:
    """What has to be said wherever the number is shown."""
    said = marks(results)
    if not is_published(results["dataset"]["name"]):
        said.append("own folds; there is no official protocol for this data")
    elif not results["official"]:
        said.append("not the official protocol" + (f": {why}" if (why := results["not_official"]) else ""))
    return said


def marks(results: dict[str, Any]) -> list[str]:
    """What is wrong with each single fold's number, however many folds there are."""
    said = []
    if results["optimistic"]:
        said.append("optimistic: the epoch was chosen on the test fold")
    if results["leaking"]:
        said.append("leaking: one recording stands on both sides of a split")
    return said


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
