"""Whether a run was reproduced: fold by fold, to the last digit, within a point, or not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audiosurvey.reproduction.differences import Difference
from audiosurvey.reproduction.record import Record, read_scores
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder

ONE_POINT = 0.01
_ROUNDING = 1e-9


@dataclass(frozen=True)
class FoldComparison:
    """One fold of both runs."""

    fold: int
    recorded: float
    now: float
    equal: bool
    """All metrics, and all scores where both runs have them, are equal to the last digit."""

    @property
    def difference(self) -> float:
        return self.now - self.recorded


@dataclass(frozen=True)
class Reproduction:
    """A recorded run and its reproduction."""

    recorded: Path
    run: Path
    """The new run folder."""
    metric: Literal["accuracy", "map"]
    verdict: Literal["equal", "reproduced", "different"]
    mean_difference: float
    """Now - recorded, the mean over the folds."""
    tolerance: float
    """The largest mean difference that counts as reproduced: one point, or twice the deviation over seeds."""
    seeds: int
    """Seeds that this deviation is known from; 1: not known."""
    folds: list[FoldComparison]
    all_folds: list[int]
    """Folds of the recorded run."""
    differences: list[Difference]

    def as_json(self) -> dict[str, Any]:
        folds = [asdict(fold) | {"difference": fold.difference} for fold in self.folds]
        paths = {"recorded": self.recorded.as_posix(), "run": self.run.as_posix()}
        return asdict(self) | paths | {"folds": folds}


def judge(
    record: Record,
    folder: Path,
    results: RunResults,
    differences: list[Difference],
    asked: Sequence[int] | None = None,
) -> Reproduction:
    """Compares the folds that both runs have, or those that were asked for; `results`: those of the new run in
    `folder`."""
    rows = {row.fold: row for row in results.folds if asked is None or row.fold in asked}
    names = record.results.metric_names
    folds = []
    for before in record.results.folds:
        if (after := rows.get(before.fold)) is None:
            continue
        values = [row.metrics([record.metric])[record.metric] or 0.0 for row in (before, after)]
        equal = before.metrics(names) == after.metrics(names) and _equal_scores(record, folder, before.fold)
        folds.append(FoldComparison(before.fold, *values, equal=equal))
    mean = float(np.mean([fold.difference for fold in folds]))
    deviation, seeds = record.seed_deviation([fold.fold for fold in folds]) or (0.0, 1)
    tolerance = max(ONE_POINT, 2 * deviation)
    within = abs(mean) <= tolerance + _ROUNDING
    verdict = "equal" if all(fold.equal for fold in folds) else "reproduced" if within else "different"
    metric = "map" if record.results.multi_label else "accuracy"
    return Reproduction(
        record.path, folder, metric, verdict, mean, tolerance, seeds, folds, record.results.done, differences
    )


def _equal_scores(record: Record, folder: Path, fold: int) -> bool:
    """Whether the predictions of a fold are equal; true where the record has none."""
    if (before := record.scores.get(fold)) is None:
        return True
    after = read_scores(RunFolder(folder), fold)
    return after is not None and before[0] == after[0] and np.array_equal(before[1], after[1])
