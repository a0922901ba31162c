"""Numbers and verdicts of a comparison in words, the same in the terminal, in Markdown and on the page."""

from collections.abc import Sequence

from audiosurvey.comparison.costs import COSTS, WATTS_PER_CORE, WATTS_PER_GPU
from audiosurvey.comparison.result import DatasetResult, PairResult
from audiosurvey.comparison.stats.significance import FoldEstimate


def points(value: float | None, digits: int = 1) -> str:
    """A share in percent: 0.8125 as `81.2`."""
    return "-" if value is None else f"{100 * value:.{digits}f}"


def signed_points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f}"


def p_text(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def range_text(rank: tuple[int, int]) -> str:
    """`2` or `1-3`."""
    return str(rank[0]) if rank[0] == rank[1] else f"{rank[0]}-{rank[1]}"


def interval_text(estimate: FoldEstimate) -> str:
    """Cut to 0 to 100: a t interval of few folds may be wider than scores are."""
    if estimate.low is None or estimate.high is None:
        return "-"
    return f"{points(max(estimate.low, 0.0))} to {points(min(estimate.high, 1.0))}"


def signed_interval_text(low: float | None, high: float | None) -> str:
    """Of a difference of scores, cut to -100 to +100."""
    if low is None or high is None:
        return "-"
    return f"{signed_points(max(low, -1.0))} to {signed_points(min(high, 1.0))}"


def ratio_text(count: float | None) -> str:
    """A count with three digits and a unit: `1.23 M`."""
    if count is None:
        return "-"
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.3g}"


def headline(dataset: DatasetResult) -> str:
    recordings = f" of {dataset.recordings} recordings" if dataset.recordings_known else ""
    folds = f"fold{'s' if len(dataset.folds) > 1 else ''} {', '.join(map(str, dataset.folds))}"
    return f"{dataset.title}: {dataset.clips} clips{recordings}, {dataset.classes} classes, {folds}"


def baseline_line(dataset: DatasetResult) -> str:
    """What the verdicts are about, and what they are corrected for."""
    if len(dataset.models) == 1:
        return "one model: nothing to compare it with"
    chosen = ", a baseline chosen by its score" if dataset.chosen_by_score else ""
    if len(dataset.folds) == 1:
        return f"differences from {dataset.baseline}{chosen}; one fold: no verdicts"
    others = len(dataset.models) - 1
    corrected = f"; p corrected for {others} comparisons (Holm)" if others > 1 else ""
    return f"verdicts against {dataset.baseline}{chosen}{corrected}"


def interval_line(dataset: DatasetResult, comparisons: int) -> str | None:
    """Below a table of verdicts: why a verdict may be undecided beside an interval without 0."""
    if comparisons < 2 or len(dataset.folds) == 1:
        return None
    return (
        f"p is corrected for {comparisons} comparisons and the 95 % interval is not: a difference may be undecided "
        "although its interval excludes 0"
    )


def front_line(dataset: DatasetResult) -> str:
    """What it means to be on the Pareto front."""
    cost = COSTS[dataset.cost]
    if not any(model.pareto for model in dataset.models):
        return f"front: {cost} is not known for any model" + (
            ": measure it with --timing" if dataset.cost == "ms_per_clip" else ""
        )
    return f"front: no other model has at least this score at a lower cost ({cost}), or a higher score at this cost"


def energy_line(dataset: DatasetResult) -> str | None:
    """How energy was estimated, if that of any model was."""
    if not any(model.costs.energy_estimated for model in dataset.models):
        return None
    watts = f"{WATTS_PER_CORE:g} W for each core in use, {WATTS_PER_GPU:g} W for each GPU"
    return f"~ energy estimated from training time: {watts}"


def more_lines(pairs: Sequence[PairResult]) -> list[str]:
    """What would decide the undecided pairs; pairs with the same answer share a line."""
    groups: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        if pair.more is not None:
            groups.setdefault((pair.more.text, pair.second), []).append(pair.first)
    return [f"{', '.join(names)} against {second}: {text}" for (text, second), names in groups.items()]
