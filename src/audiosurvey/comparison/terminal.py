"""A comparison as tables on the terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from audiosurvey.comparison.result import Comparison, DatasetResult, PairResult
from audiosurvey.comparison.texts import ModelText, effect_text, model_texts, pair_text
from audiosurvey.comparison.wording import baseline_line, energy_line, front_line, headline, more_lines, p_text, points

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
    console.print(_leaderboard(dataset, models))
    for model in models:
        for mark in model.marks:
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
    console.print(_protocols(dataset, models))
    console.print(_costs(models))
    if (machine := _machine(models)) is not None:
        _line(console, f"trained on {machine}")
    _line(console, front_line(dataset))
    if (line := energy_line(dataset)) is not None:
        _line(console, line)
    if dataset.effects:
        console.print(_effects(dataset))
    for note in dataset.notes:
        _line(console, f"note: {note}")


def _leaderboard(dataset: DatasetResult, models: Sequence[ModelText]) -> Table:
    table = _table("rank", f"{dataset.metric} %", "95 % folds", "95 % recordings", "seeds", "sd", name="model")
    for model in models:
        cells = (model.name, model.rank, model.score, model.interval, model.bootstrap, model.seeds, model.seed_std)
        table.add_row(*map(Text, cells))
    return table


def _protocols(dataset: DatasetResult, models: Sequence[ModelText]) -> Table:
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
    for model in models:
        cells = [
            model.name,
            *([model.balanced] if exclusive else []),
            model.log_loss,
            model.calibration,
            *([model.corrupted] if corrupted else []),
            model.selection,
            model.official,
            model.pretrained,
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
    for pair in map(pair_text, pairs):
        cells = [pair.difference, pair.interval, pair.p, pair.p_equivalence, pair.p_as_trained]
        cells += [pair.p_mcnemar] if mcnemar else []
        names = [pair.first, pair.second] if second else [pair.first]
        verdict = Text(pair.verdict, style=_COLOURS[pair.verdict])
        table.add_row(*map(Text, names), verdict, *map(Text, cells))
    return table


def _costs(models: Sequence[ModelText]) -> Table:
    table = _table("params", "MACs", "train s", "Wh", "ms/clip", "MB", "peak MB", name="model")
    machines = len({model.machine for model in models}) > 1
    if machines:
        table.add_column("machine", overflow="fold")
    table.add_column("front")
    for model in models:
        cells = [model.name, model.parameters, model.macs, model.seconds, model.energy, model.ms, model.mb, model.peak]
        table.add_row(*map(Text, [*cells, *([model.machine] if machines else []), model.front]))
    return table


def _machine(models: Sequence[ModelText]) -> str | None:
    """The machine that trained all models; None if there are several, or it is unknown."""
    (first, *others) = {model.machine for model in models}
    return None if others or first == "-" else first


def _effects(dataset: DatasetResult) -> Table:
    table = _table(name="swept key")
    for title in ("value", "against"):
        table.add_column(title, overflow="fold")
    for title in ("points", "95 %", "pairs"):
        table.add_column(title, justify="right")
    for effect in map(effect_text, dataset.effects):
        cells = (effect.key, effect.value, effect.reference, effect.difference, effect.interval, effect.pairs)
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
