"""`audiosurvey compare`: paths to a comparison."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from audiosurvey.comparison.benchmark import Benchmark, Say, make_benchmarks
from audiosurvey.comparison.costs import COSTS
from audiosurvey.comparison.critical_difference import critical_difference
from audiosurvey.comparison.leaderboard import CompareOptions, make_leaderboard
from audiosurvey.comparison.result import Comparison, DatasetResult
from audiosurvey.comparison.sources import find_rows
from audiosurvey.comparison.timing import measured_times, stored_times
from audiosurvey.errors import ArgumentError, UserError, some_of

_SHOWN = 5


def compare_paths(
    paths: Sequence[Path], options: CompareOptions, *, timing: bool = False, say: Say = lambda line: None
) -> Comparison:
    """Compares the models in survey folders, run folders, and folders of predictions, by data set.

    `timing`: measures the time per clip of every model that the runs keep, and stores it beside them; otherwise stored
    times are shown. `say` is called with a line for each row without a model. Raises UserError for what cannot be read
    or compared.
    """
    if not paths:
        raise UserError("compare: no path; give survey folders, run folders, or folders with predictions.csv")
    if options.cost not in COSTS:
        raise ArgumentError(f"{{cost}}: no such cost; there are {', '.join(COSTS)}", cost=options.cost)
    if not 0 < options.margin < 1:
        raise ArgumentError("{margin}: must be more than 0 and less than 100 points", margin=...)
    left_out: list[str] = []
    benchmarks = make_benchmarks(find_rows(paths), options.folds, left_out.append)
    _check_baseline(benchmarks, options)
    return compare_benchmarks(benchmarks, options, left_out, timing=timing, say=say)


def compare_benchmarks(
    benchmarks: Sequence[Benchmark],
    options: CompareOptions,
    left_out: Sequence[str],
    *,
    timing: bool = False,
    say: Say = lambda line: None,
) -> Comparison:
    """Compares models whose scores have been read. `left_out`: lines about those that are not among them; `timing` and
    `say` as for `compare_paths`.
    """
    times = measured_times(benchmarks, say) if timing else map(stored_times, benchmarks)
    found = [make_leaderboard(one, options, of) for one, of in zip(benchmarks, times, strict=True)]
    comparison = Comparison(tuple(map(_with_baseline_note(options), found)), tuple(left_out))
    return critical_difference(comparison)


def _check_baseline(benchmarks: Sequence[Benchmark], options: CompareOptions) -> None:
    models = [model for one in benchmarks for model in one.models]
    names = sorted({model.name for model in models})
    if options.baseline is None or options.baseline in names:
        return
    if meant := sorted({model.name for model in models if model.source.name == options.baseline}):
        few = some_of(meant, 2 * _SHOWN)
        raise ArgumentError(
            f"{{baseline}}: several models have this name; give one of {few}", baseline=options.baseline
        )
    there = some_of(names, 2 * _SHOWN)
    raise ArgumentError(f"{{baseline}}: no such model; there are {there}", baseline=options.baseline)


def _with_baseline_note(options: CompareOptions) -> Callable[[DatasetResult], DatasetResult]:
    def add(found: DatasetResult) -> DatasetResult:
        if options.baseline in (None, found.baseline):
            return found
        note = f"no model {options.baseline} on this data set: the best one is the baseline"
        return replace(found, notes=(*found.notes, note))

    return add
