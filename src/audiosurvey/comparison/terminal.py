"""A comparison as tables on the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from audiosurvey.comparison.records import marks
from audiosurvey.comparison.result import Comparison, DatasetResult, PairResult
from audiosurvey.comparison.wording import (
    baseline_line,
    front_line,
    headline,
    interval_text,
    more_lines,
    p_text,
    points,
    range_text,
    ratio_text,
    signed_interval_text,
    signed_points,
)

_COLOURS = {"better": "green", "worse": "red", "the same": "cyan", "undecided": "yellow"}


def print_comparison(comparison: Comparison, console: Console) -> None:
    """For each data set the leaderboard, the verdicts with both p, what would decide, costs, and main effects."""
    for number, dataset in enumerate(comparison.datasets):
        if number:
            console.print()
        _print_dataset(dataset, console)
    if comparison.ranks:
        _print_ranks(comparison, console)


def _print_dataset(dataset: DatasetResult, console: Console) -> None:
    _line(console, headline(dataset))
    console.print(_leaderboard(dataset))
    for model in dataset.models:
        for mark in marks(model):
            _line(console, f"{model.name}: {mark}")
    if dataset.against_baseline:
        _line(console, baseline_line(dataset))
        console.print(_pairs(dataset, dataset.against_baseline))
    if dataset.pairs:
        count = len(dataset.pairs)
        _line(console, "all pairs" + (f", p corrected for {count} comparisons (Holm)" if count > 1 else ""))
        console.print(_pairs(dataset, dataset.pairs, second=True))
    for line in more_lines(dataset.against_baseline):
        _line(console, line)
    console.print(_protocols(dataset))
    console.print(_costs(dataset))
    _line(console, front_line(dataset))
    if any(model.costs.energy_estimated for model in dataset.models):
        _line(console, "~ energy estimated from training time: 10 W for each core in use, 300 W for each GPU")
    if dataset.effects:
        console.print(_effects(dataset))
    for note in dataset.notes:
        _line(console, f"note: {note}")


def _leaderboard(dataset: DatasetResult) -> Table:
    table = _table("rank", f"{dataset.metric} %", "95 % folds", "95 % recordings", "seeds", "sd", name="model")
    for model in dataset.models:
        cells = [
            model.name,
            range_text(model.rank),
            points(model.score.mean),
            interval_text(model.score),
            f"{points(model.bootstrap.low)} to {points(model.bootstrap.high)}",
            str(len(model.seeds)),
            points(model.seed_std),
        ]
        table.add_row(*map(Text, cells))
    return table


def _protocols(dataset: DatasetResult) -> Table:
    exclusive = dataset.metric == "accuracy"
    corrupted = any(model.corrupted_score is not None for model in dataset.models)
    columns = [
        *(["balanced %"] if exclusive else []),
        "log loss",
        "calib. error",
        *(["corrupted %"] if corrupted else []),
    ]
    table = _table(*columns, name="model")
    for title in ("selection", "official", "pretrained on"):
        table.add_column(title, overflow="fold")
    for model in dataset.models:
        protocol = model.protocol
        cells = [
            model.name,
            *([points(model.balanced_accuracy)] if exclusive else []),
            f"{model.log_loss:.3f}",
            f"{model.calibration_error:.3f}",
            *([points(model.corrupted_score)] if corrupted else []),
            protocol.selection or "-",
            "-" if protocol.official is None else "yes" if protocol.official else "no",
            protocol.pretrained_on or "-",
        ]
        table.add_row(*map(Text, cells))
    return table


def _pairs(dataset: DatasetResult, pairs: tuple[PairResult, ...], second: bool = False) -> Table:
    mcnemar = any(pair.p_mcnemar is not None for pair in pairs)
    table = _table(name="model")
    if second:
        table.add_column("against", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for title in ("points", "95 %", "p", f"p within {points(dataset.margin)}", "p as trained"):
        table.add_column(title, justify="right", no_wrap=title == "95 %")
    if mcnemar:
        table.add_column("McNemar", justify="right")
    for pair in pairs:
        retrained = pair.retrained
        cells = [
            signed_points(retrained.mean),
            signed_interval_text(retrained.low, retrained.high),
            p_text(pair.p_holm),
            p_text(pair.p_equivalence),
            p_text(pair.p_as_trained),
            *([p_text(pair.p_mcnemar)] if mcnemar else []),
        ]
        names = [pair.first, pair.second] if second else [pair.first]
        verdict = Text(pair.verdict, style=_COLOURS[pair.verdict])
        table.add_row(*map(Text, names), verdict, *map(Text, cells))
    return table


def _costs(dataset: DatasetResult) -> Table:
    table = _table("params", "MACs", "train s", "Wh", "ms/clip", "MB", "peak MB", name="model")
    table.add_column("machine", overflow="fold")
    table.add_column("front")
    for model in dataset.models:
        costs = model.costs
        energy = "-" if costs.energy_wh is None else f"{'~' if costs.energy_estimated else ''}{costs.energy_wh:.3g}"
        cells = [
            model.name,
            ratio_text(costs.parameters),
            ratio_text(costs.macs),
            "-" if costs.train_seconds is None else f"{costs.train_seconds:.0f}",
            energy,
            "-" if costs.ms_per_clip is None else f"{costs.ms_per_clip:.3g}",
            "-" if costs.model_mb is None else f"{costs.model_mb:.3g}",
            "-" if costs.peak_memory_mb is None else f"{costs.peak_memory_mb:.0f}",
            costs.machine or "-",
            "yes" if model.pareto else "",
        ]
        table.add_row(*map(Text, cells))
    return table


def _effects(dataset: DatasetResult) -> Table:
    table = _table(name="swept key")
    for title in ("value", "against"):
        table.add_column(title, overflow="fold")
    for title in ("points", "95 %", "pairs"):
        table.add_column(title, justify="right")
    for effect in dataset.effects:
        difference = effect.difference
        cells = [
            effect.key,
            str(effect.value),
            str(effect.reference),
            signed_points(difference.mean),
            signed_interval_text(difference.low, difference.high),
            str(effect.pairs),
        ]
        table.add_row(*map(Text, cells))
    return table


def _print_ranks(comparison: Comparison, console: Console) -> None:
    table = _table("mean rank", name="model")
    for name, rank in comparison.ranks.items():
        table.add_row(Text(name), f"{rank:.2f}")
    console.print(table)
    difference, p = comparison.critical_difference, comparison.friedman_p
    _line(console, f"mean ranks that differ by more than {difference:.2f} differ (Nemenyi); Friedman p {p_text(p)}")


def _table(*numbers: str, name: str) -> Table:
    # Narrow, so that the tables fit into 80 columns.
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(name, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right")
    return table


def _line(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False)
