"""Results as tables on the terminal, with the caveats that belong to the numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from audiosurvey.errors import some_of
from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable
from audiosurvey.reporting.class_table import print_classes, print_mixed_up
from audiosurvey.reporting.layer_table import print_layers
from audiosurvey.runs.listing import ListedRun
from audiosurvey.runs.results.class_scores import ByClass, is_uneven, largest_class
from audiosurvey.runs.results.condition_scores import ConditionResults
from audiosurvey.runs.results.facts import LeftOutClip
from audiosurvey.runs.results.other_scores import OTHER_COUNTS, OTHER_TITLES
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.validity import caveats, class_lines, imbalance, unrecognised
from audiosurvey.training.metrics import METRICS

if TYPE_CHECKING:
    from audiosurvey.runs.evaluation.evaluation_result import EvaluationResult

_MODEL_LETTERS = 20
_SHOWN = 5
"""Clips named of those outside the range of the training clips, and runs named before a line about them."""
_TITLES = {name: metric.short or metric.title for name, metric in METRICS.items()}


def print_summary(results: RunResults, console: Console, *, told: bool = False, more: str = "") -> None:
    """One row per fold, then mean and sample standard deviation, then a row per class, then the caveats.

    The balanced accuracy is shown if the classes are uneven. Notes on the data, skipped clips and the licence follow,
    unless they were shown before the run (`told`). `more`: where classes are that the table leaves out.
    """
    names, folds, several = _shown_metrics(results.mean, results.class_scores), results.folds, len(results.folds) > 1
    title = f"{results.dataset.title}, {len(results.classes)} classes, selection: {results.selection}"
    rows = [row.metrics(names) for row in folds] + ([results.mean, results.std] if several else [])
    below = ("", "") if several else ()
    mean_s = (f"{sum(row.seconds for row in folds) / len(folds):.0f}", "") if several else ()
    columns = [
        Column("fold", (*(str(row.fold) for row in folds), *(("mean", "std") if several else ())), "text"),
        *(Column(_TITLES[name], tuple(_number(row[name]) for row in rows)) for name in names),
        Column("clips", (*(str(row.clips) for row in folds), *below)),
        Column("epochs", (*(str(row.epochs) for row in folds), *below)),
        Column("seconds", (*(f"{row.seconds:.0f}" for row in folds), *mean_s)),
    ]
    _print_titled(title, FittedTable(columns, totals=2 if several else 0), console)
    _print_others(results, console)
    print_layers(results, console)
    print_classes(
        results.class_scores,
        console,
        multi_label=results.multi_label,
        # `evaluate` has a table of its own for these.
        confusion=None if results.predictions else results.confusion,
        more=more or "; `audiosurvey report` shows all",
    )
    if results.predictions:
        print_mixed_up(results.mixed_up, console, multi_label=results.multi_label)
    _print_calibration(results.mean, console)
    for line in [*imbalance(results), *caveats(results)]:
        console.print(line, soft_wrap=True, markup=False)
    if told:
        return
    for note in results.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    _print_skipped(results.skipped, console)
    if results.dataset.licence:
        console.print(f"licence of the data: {results.dataset.licence}", soft_wrap=True)


def _shown_metrics(names: Iterable[str], by_class: ByClass) -> list[str]:
    uneven = is_uneven(by_class)
    return [name for name in names if METRICS[name].in_tables and (uneven or name != "balanced_accuracy")]


def print_evaluation(results: "EvaluationResult", console: Console, *, more: str = "") -> None:
    """A model's scores on other data, also without the clips that it was trained on. `more` as in `print_summary`."""
    names = _shown_metrics(results.metrics, results.by_class)
    seen, unseen = results.trained_on, results.metrics_unseen
    rows = [results.metrics, *([unseen] if unseen else [])]
    clips = (str(results.clips), str(results.clips - len(seen)))
    columns = [
        Column("scored", ("all", "not trained on")[: len(rows)], "text"),
        Column("clips", clips[: len(rows)]),
        *(Column(_TITLES[name], tuple(_number(row[name]) for row in rows)) for name in names),
    ]
    _print_titled(f"{results.model} on {results.dataset.title}", FittedTable(columns), console)
    if seen:
        rest = "the second row is without them" if unseen else "no other clips are left"
        console.print(
            f"the model was trained on the recordings of {len(seen)} of these clips, "
            f"so the score over all is not a test; {rest}",
            soft_wrap=True,
        )
    several, on = results.confusion is None, " on clips not trained on" if unseen else ""
    print_classes(
        results.by_class, console, multi_label=several, clips=on, more=more or "; --json, or --output FOLDER, has all"
    )
    print_mixed_up(results.mixed_up, console, multi_label=several, clips=on)
    _print_calibration(unseen or results.metrics, console)
    for line in class_lines(results.by_class, multi_label=several):
        console.print(line, soft_wrap=True, markup=False)
    if results.other is not None:
        _print_other_table({"": results.other.as_json()}, console)
    _print_skipped(results.skipped, console)
    if outside := results.outside:
        more = "; --json lists all" if len(outside) > _SHOWN else ""
        count = f"{len(outside)} of {results.clips} clips are outside the range that the model was trained on{more}:"
        console.print(count, soft_wrap=True)
        for clip in outside[:_SHOWN]:
            console.print(f"  {clip['clip']}: {clip['note']}", soft_wrap=True, markup=False)


def _print_others(results: RunResults, console: Console) -> None:
    """How well sounds of no class are told from the test clips, if there are any: a row per fold, mean and std."""
    rows = {str(row.fold): row.other.as_json() for row in results.folds if row.other is not None}
    if rows and results.other is not None:
        of_all = {"mean": results.other.mean, "std": results.other.std} if len(results.folds) > 1 else {}
        _print_other_table(rows | of_all, console, totals=len(of_all))


def _print_other_table(rows: Mapping[str, Mapping[str, Any]], console: Console, totals: int = 0) -> None:
    values = rows.values()
    shown = {name: title for name, title in OTHER_TITLES.items() if any(row.get(name) is not None for row in values)}
    counts = {name: title for name, title in OTHER_COUNTS.items() if any(row.get(name) for row in values)}
    columns = [
        *([Column("fold", tuple(rows), "text")] if any(rows) else []),
        *(Column(title, tuple(_number(row.get(name)) for row in values)) for name, title in shown.items()),
        *(Column(title, tuple(str(row.get(name, "")) for row in values)) for name, title in counts.items()),
    ]
    title = "sounds of no class, told from the test clips by the best score"
    _print_titled(title, FittedTable(columns, totals=totals), console)


def print_runs(runs: Sequence[ListedRun], console: Console) -> None:
    """One row per run, by the time it began, then what has to be said of their scores, each line once.

    Runs on uneven classes have the balanced accuracy, and the accuracy of always predicting the largest class.
    """
    found = [run.results for run in runs]
    columns = [
        Column("run", tuple(run.path.as_posix() for run in runs), "name"),
        Column("begun", tuple(run.begun for run in runs), "text"),
        Column("data", tuple(run.dataset for run in runs), "text"),
        Column("model", tuple(_short(run.model) for run in runs), "text"),
        Column("folds", tuple(f"{len(one.done)} of {len(one.all_folds)}" if one else "none yet" for one in found)),
        Column("score", tuple(map(_score, found))),
        Column("balanced", tuple(map(_balanced, found))),
        Column("always largest", tuple(map(_largest, found))),
        Column("final", tuple("yes" if run.final else "" for run in runs), "text"),
    ]
    console.print(FittedTable(columns))
    said: dict[str, list[str]] = {}
    for run in runs:
        for line in [*unrecognised(run.results.class_scores), *caveats(run.results)] if run.results else []:
            said.setdefault(line, []).append(run.path.as_posix())
    scored = sum(one is not None for one in found)
    for line, names in said.items():
        of = "all runs" if len(names) == scored > 1 else some_of(names, _SHOWN)
        console.print(f"{of}: {line}", soft_wrap=True, markup=False)


def _short(model: str) -> str:
    """A long name, such as that of an encoder's file, in the width of a column."""
    return model if len(model) <= _MODEL_LETTERS else model[: _MODEL_LETTERS - 1] + "…"


def print_conditions(found: ConditionResults, console: Console) -> None:
    """One row per recording condition: the metric and the mean score of the best label, over the folds."""
    folds = [row.fold for row in found.folds]
    named = f"folds {', '.join(map(str, folds))}" if len(folds) > 1 else f"fold {folds[0]}"
    columns = [
        Column("condition", tuple(row.name for row in found.mean), "text"),
        Column(_TITLES[found.metric], tuple(_number(getattr(row, found.metric), 3) for row in found.mean)),
        Column("mean score", tuple(_number(row.mean_score, 2) for row in found.mean)),
    ]
    _print_titled(f"test clips under other recording conditions, {named}", FittedTable(columns), console)


def _print_titled(title: str, table: FittedTable, console: Console) -> None:
    console.print(title, soft_wrap=True, markup=False)
    console.print(table)


def _score(results: RunResults | None) -> str:
    """`0.875 ± 0.012`, with `mAP` behind it for several labels."""
    name = "map" if results and results.multi_label else "accuracy"
    mean = results.mean.get(name) if results else None
    if results is None or mean is None:
        return "-"
    std = results.std.get(name)
    return f"{mean:.3f}" + (f" ± {std:.3f}" if std is not None else "") + (" mAP" if name == "map" else "")


def _balanced(results: RunResults | None) -> str:
    value = results.mean.get("balanced_accuracy") if results and is_uneven(results.class_scores) else None
    return "" if value is None else f"{value:.3f}"


def _largest(results: RunResults | None) -> str:
    """What always predicting the largest class scores, if the classes are uneven."""
    if results is None or results.multi_label or not is_uneven(results.class_scores):
        return ""
    return f"{largest_class(results.class_scores)[1]:.3f}"


def _print_calibration(metrics: Mapping[str, float | None], console: Console) -> None:
    if (error := metrics.get("calibration_error")) is not None:
        console.print(f"expected calibration error of the scores: {error:.3f}", soft_wrap=True)


def _print_skipped(clips: Iterable[LeftOutClip], console: Console) -> None:
    for bad in clips:
        console.print(f"skipped: {bad.clip}: {bad.reason}", soft_wrap=True, markup=False)


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
