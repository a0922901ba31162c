"""A comparison as tables on the terminal."""

from collections.abc import Sequence

from rich.console import Console

from audiosurvey.comparison.output.columns import (
    cost_columns,
    effect_columns,
    leaderboard_columns,
    machine_line,
    pair_columns,
    protocol_columns,
    score_columns,
)
from audiosurvey.comparison.output.texts import effect_text, model_texts, pair_text
from audiosurvey.comparison.output.wording import (
    baseline_line,
    energy_line,
    front_line,
    headline,
    interval_line,
    more_lines,
    p_text,
)
from audiosurvey.comparison.result import Comparison, DatasetResult, PairResult
from audiosurvey.pages.columns import Column, same_line, shown_columns
from audiosurvey.pages.terminal_table import FittedTable

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
    models = model_texts(dataset)
    _line(console, headline(dataset))
    # The verdicts have a table of their own.
    _print(console, [column for column in leaderboard_columns(dataset, models) if column.kind != "verdict"])
    for model in models:
        for mark in model.marks:
            _line(console, f"{model.name}: {mark}")
    if dataset.against_baseline:
        _line(console, baseline_line(dataset))
        _print_pairs(console, dataset, dataset.against_baseline)
    if dataset.pairs:
        count = len(dataset.pairs)
        corrected = count > 1 and len(dataset.folds) > 1
        _line(console, "all pairs" + (f", p corrected for {count} comparisons (Holm)" if corrected else ""))
        _print_pairs(console, dataset, dataset.pairs, both=True)
    for line in more_lines(dataset.against_baseline):
        _line(console, line)
    _print(console, score_columns(dataset, models))
    _print(console, protocol_columns(models))
    _print(console, cost_columns(models))
    for line in (machine_line(models), front_line(dataset), energy_line(dataset)):
        if line is not None:
            _line(console, line)
    if dataset.effects:
        _print(console, effect_columns([effect_text(effect) for effect in dataset.effects]))
    for note in dataset.notes:
        _line(console, f"note: {note}")


def _print_pairs(console: Console, dataset: DatasetResult, pairs: Sequence[PairResult], *, both: bool = False) -> None:
    _print(console, pair_columns(dataset, [pair_text(pair) for pair in pairs], both=both))
    if (line := interval_line(dataset, len(pairs))) is not None:
        _line(console, line)


def _print_ranks(comparison: Comparison, console: Console) -> None:
    ranks = tuple(f"{rank:.2f}" for rank in comparison.ranks.values())
    _print(console, [Column("model", tuple(comparison.ranks), "name"), Column("mean rank", ranks)])
    difference, p = comparison.critical_difference, comparison.friedman_p
    _line(console, f"mean ranks that differ by more than {difference:.2f} differ (Nemenyi); Friedman p {p_text(p)}")


def _print(console: Console, columns: Sequence[Column]) -> None:
    """A table, unless it would have names only, and what all its rows have in common."""
    if any(column.kind != "name" for column in shown_columns(columns)):
        console.print(FittedTable(columns, _COLOURS))
    if (line := same_line(columns)) is not None:
        _line(console, line)


def _line(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False)
