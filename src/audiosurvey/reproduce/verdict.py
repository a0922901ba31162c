"""Whether a run was reproduced: fold by fold, to the last digit, within a point, or not."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audiosurvey.reproduce.differences import Difference
from audiosurvey.reproduce.record import Record
from audiosurvey.runs.results.predictions import read_predictions
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


def judge(record: Record, folder: Path, results: RunResults, differences: list[Difference]) -> Reproduction:
    """Compares the folds that both runs have; `results`: those of the new run in `folder`."""
    rows = {row.fold: row for row in results.folds}
    names = record.results.metric_names
    folds = []
    for before in record.results.folds:
        if (after := rows.get(before.fold)) is None:
            continue
        values = [row.metrics([record.metric])[record.metric] or 0.0 for row in (before, after)]
        equal = before.metrics(names) == after.metrics(names) and _equal_scores(record.run, folder, before.fold)
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


def _equal_scores(recorded: RunFolder | None, folder: Path, fold: int) -> bool:
    """Whether the predictions of a fold are equal; true where the record has none."""
    if recorded is None or not (before := recorded.fold(fold) / "predictions.csv").exists():
        return True
    after = RunFolder(folder).fold(fold) / "predictions.csv"
    one, other = read_predictions(before), read_predictions(after)
    return one[0] == other[0] and np.array_equal(one[2], other[2])
