"""Robustness of a run as typed data: the form of `analysis/robustness.json`, its means, and the baseline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from audiosurvey.analysis.measured_model import still_has
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import StoredPart, read_part

FILE = "analysis/robustness.json"
"""Relative to the run folder."""
SCHEMA = 1
_ABOUT = ("version", "suite", "data_hash", "sample_rate", "metric")
"""Fields that are not computed from the folds."""


class SeverityScore(StoredPart):
    """Scores of test clips, clean or at one severity of a corruption."""

    severity: int
    """1 to 5; 0 for clean clips."""
    level: float | None = None
    """In the unit of the corruption; None for clean clips."""
    score: float | None
    """Accuracy, or mAP for several labels; None where the data do not give it."""
    relative_loss: float | None = None
    """Share of the clean score that is lost; negative for a gain."""
    standard_error: float | None = None
    """Of an accuracy, from the number of clips (binomial); None for mAP."""
    calibration_error: float | None
    """Expected calibration error of the calibrated scores."""


class CorruptionScores(StoredPart):
    """One corruption, mildest severity first."""

    name: str
    title: str
    quantity: str
    """What the levels measure, with its unit."""
    in_mean: bool
    """Whether it counts in means over corruptions."""
    cells: list[SeverityScore]

    @property
    def error(self) -> float | None:
        """1 - score, the mean over the severities."""
        score = _mean([cell.score for cell in self.cells])
        return None if score is None else 1 - score


class FoldRobustness(StoredPart):
    """The model of one fold on its own test clips."""

    fold: int
    clips: int
    model: str
    """SHA-256 of its weights."""
    seconds: float
    clean: SeverityScore
    corruptions: list[CorruptionScores]


class BaselineComparison(StoredPart):
    """Corruption errors relative to another run on the same folds: 1 is as good, below 1 better.

    Source: Hendrycks and Dietterich 2019 (arXiv 1903.12261), section 4.2.
    """

    run: str
    folds: list[int] = []
    """Those that were compared; empty if an earlier version made the comparison."""
    corruption_errors: dict[str, float | None]
    """By corruption; None where the baseline makes no error."""
    mean_corruption_error: float | None
    """Over the corruptions that count in means."""


class RobustnessResults(StoredPart):
    """The form of robustness.json. Scores are means over the folds."""

    schema_version: int = Field(default=SCHEMA, validation_alias="schema", serialization_alias="schema")
    version: str
    suite: int
    """Version of the corruptions; scores of two suites are not comparable."""
    data_hash: str
    sample_rate: int | None = None
    """Of the model, at which clips were corrupted; None if an earlier version measured them."""
    metric: Literal["accuracy", "map"]
    clean: SeverityScore
    corruptions: list[CorruptionScores]
    mean_score: float | None
    """Over all corruptions that count in means, and all severities."""
    mean_relative_loss: float | None
    mean_calibration_error: float | None
    baseline: BaselineComparison | None = None
    folds: list[FoldRobustness]

    @property
    def seconds(self) -> float:
        return sum(fold.seconds for fold in self.folds)

    def out_of_order(self) -> list[tuple[CorruptionScores, SeverityScore]]:
        """Severities that score better than the one before by more than a standard error (accuracy only)."""
        found = []
        for row in self.corruptions:
            for before, cell in zip([self.clean, *row.cells], row.cells, strict=False):
                if before.score is None or cell.score is None or before.standard_error is None:
                    continue
                if cell.score - before.score > max(before.standard_error, cell.standard_error or 0.0):
                    found.append((row, cell))
        return found


def averaged(about: dict[str, Any], folds: Sequence[FoldRobustness]) -> RobustnessResults:
    """The results of at least one fold; `about`: the fields that are not computed."""
    folds = sorted(folds, key=lambda fold: fold.fold)
    clips = sum(fold.clips for fold in folds)
    clean = _mean_cell([fold.clean for fold in folds], clips, None)
    rows = []
    for row in folds[0].corruptions:
        of_folds = [_named(fold.corruptions, row.name).cells for fold in folds]
        cells = [_mean_cell(list(cells), clips, clean.score) for cells in zip(*of_folds, strict=True)]
        rows.append(row.changed(cells=cells))
    counted = [cell for row in rows if row.in_mean for cell in row.cells]
    return RobustnessResults(
        **about,
        schema_version=SCHEMA,
        clean=clean,
        corruptions=rows,
        mean_score=_mean([cell.score for cell in counted]),
        mean_relative_loss=_mean([cell.relative_loss for cell in counted]),
        mean_calibration_error=_mean([cell.calibration_error for cell in counted]),
        folds=list(folds),
    )


def severity_score(
    severity: int, level: float | None, score: float | None, calibration_error: float | None, *, clean: float | None
) -> SeverityScore:
    """A cell with its relative loss; `clean`: the score of the clean clips, None for these themselves."""
    loss = (clean - score) / clean if clean and score is not None else None
    return SeverityScore(
        severity=severity, level=level, score=score, relative_loss=loss, calibration_error=calibration_error
    )


def read_robustness(run: Path) -> RobustnessResults | None:
    """What was measured for a run; None if nothing was. Raises UserError for a damaged file, or another schema."""
    path = run / FILE
    if not path.exists():
        return None
    mend = f"remove it, and 'audiosurvey robustness {run.as_posix()}' measures it again"
    return read_part(RobustnessResults, path, mend, what="robustness", schema=SCHEMA)


def robustness_of(run: RunFolder, results: RunResults) -> RobustnessResults | None:
    """What was measured for the models of a run; None if nothing was.

    Raises UserError as `read_robustness` does, and if data or models were others then. A model that was not kept counts
    as the one that was measured.
    """
    found = read_robustness(run.path)
    if found is None:
        return None
    again = f"run 'audiosurvey robustness {run.path.as_posix()}' again"
    if found.data_hash != results.dataset.hash:
        raise UserError(f"{run.path / FILE}: was measured on other data; {again}")
    for fold in found.folds:
        if fold.fold not in results.done or not still_has(run, fold.fold, fold.model):
            raise UserError(f"{run.path / FILE}: fold {fold.fold} was measured with another model; {again}")
    return found


def compare_with(results: RobustnessResults, baseline: Path) -> BaselineComparison:
    """The corruption errors of a run relative to those of the run in `baseline`, on the folds of `results`.

    Raises UserError as `read_baseline` does.
    """
    folds = [fold.fold for fold in results.folds]
    about = {name: getattr(results, name) for name in _ABOUT}
    other = read_baseline(baseline, about, folds)
    rows = averaged(about, [fold for fold in other.folds if fold.fold in folds]).corruptions
    errors = {row.name: _ratio(row.error, _error_of(rows, row.name)) for row in results.corruptions}
    counted = [errors[row.name] for row in results.corruptions if row.in_mean]
    return BaselineComparison(
        run=baseline.as_posix(), folds=folds, corruption_errors=errors, mean_corruption_error=_mean(counted)
    )


def read_baseline(baseline: Path, about: Mapping[str, Any], folds: Sequence[int]) -> RobustnessResults:
    """What was measured for a run that others are compared with.

    Raises UserError if nothing was, or not as in `about` (data, corruptions, sample rate), or not on these folds.
    """
    other = read_robustness(baseline)
    again = f"run 'audiosurvey robustness {baseline.as_posix()}' first"
    if other is None:
        raise ArgumentError(f"{{baseline}}: its robustness was not measured; {again}", baseline=baseline)
    if (other.data_hash, other.metric) != (about["data_hash"], about["metric"]):
        raise ArgumentError(
            "{baseline}: was measured on other data; give a run on the same data set", baseline=baseline
        )
    if other.suite != about["suite"]:
        raise ArgumentError(
            f"{{baseline}}: was measured with corruptions of another version; {again}", baseline=baseline
        )
    if other.sample_rate is None:
        raise ArgumentError(f"{{baseline}}: was measured at an unknown sample rate; {again}", baseline=baseline)
    if other.sample_rate != about["sample_rate"]:
        rates = f"{other.sample_rate} Hz instead of {about['sample_rate']} Hz"
        raise ArgumentError(
            f"{{baseline}}: was measured at {rates}; give a run with the same sample rate", baseline=baseline
        )
    if missing := sorted(set(folds) - {fold.fold for fold in other.folds}):
        raise ArgumentError(f"{{baseline}}: fold {missing[0]} was not measured; {again}", baseline=baseline)
    return other


def _mean_cell(cells: Sequence[SeverityScore], clips: int, clean: float | None) -> SeverityScore:
    score = _mean([cell.score for cell in cells])
    calibration_error = _mean([cell.calibration_error for cell in cells])
    mean = severity_score(cells[0].severity, cells[0].level, score, calibration_error, clean=clean)
    known = all(cell.standard_error is not None for cell in cells)
    return mean.changed(standard_error=standard_error(score, clips) if known else None)


def standard_error(accuracy: float | None, clips: int) -> float | None:
    """Of an accuracy over so many clips, as of a binomial share."""
    return None if accuracy is None else float(np.sqrt(accuracy * (1 - accuracy) / clips))


def _named(rows: Sequence[CorruptionScores], name: str) -> CorruptionScores:
    return next(row for row in rows if row.name == name)


def _error_of(rows: Sequence[CorruptionScores], name: str) -> float | None:
    return next((row.error for row in rows if row.name == name), None)


def _ratio(error: float | None, of: float | None) -> float | None:
    return None if error is None or not of else error / of


def _mean(values: Sequence[float | None]) -> float | None:
    """None unless all values are there."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers and len(numbers) == len(values) else None
