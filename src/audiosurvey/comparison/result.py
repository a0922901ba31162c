"""The comparison as typed data: for each data set a leaderboard, tests of pairs, and main effects of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, overload

from audiosurvey.comparison.costs import Costs
from audiosurvey.comparison.effects import MainEffect
from audiosurvey.comparison.stats.significance import FoldEstimate
from audiosurvey.comparison.stats.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class Protocol:
    """How the score was made; None: the files do not tell."""

    official: bool | None = None
    selection: str | None = None
    tuned_on: tuple[int, ...] = ()
    pretrained_on: str | None = None
    caveats: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    """Of audiosurvey."""


@dataclass(frozen=True)
class More:
    """What would decide between two models, at a power of 80 %."""

    seeds: int | None
    """Seeds of each model; None if not even 100 decide, or if `seeds_unknown`."""
    folds: int | None
    """Folds of this size, of repeated cross-validation; None if not even 200 decide."""
    seeds_unknown: bool = False
    """Neither model has two seeds, so that the variance of seeds is not known."""

    @property
    def text(self) -> str:
        folds = f"{self.folds} folds would decide this" if self.folds else None
        if self.seeds_unknown:
            return f"{folds or 'more folds would not decide this'}; train a second seed to see whether more seeds would"
        if self.seeds is None:
            return (
                f"more seeds would not decide this; {folds}"
                if folds
                else "neither more seeds nor folds would decide this"
            )
        return f"{self.seeds} seeds each" + (f", or {folds}" if folds else " would decide this; more folds would not")


@dataclass(frozen=True)
class PairResult:
    """The first model against the second. Differences are the first less the second."""

    first: str
    second: str
    verdict: Verdict | None
    """None with one fold."""
    retrained: FoldEstimate
    """Difference of the recipes, if trained again: corrected t over the folds."""
    p_holm: float | None
    p_equivalence: float | None
    p_as_trained: float
    """Of these models as trained: sign flips over recordings; the bootstrap over recordings for several labels."""
    as_trained: Interval
    """Bootstrap interval over recordings of the same difference."""
    p_mcnemar: float | None
    """With one seed on each side and one label per clip."""
    more: More | None
    """For an undecided pair with several folds."""


@dataclass(frozen=True)
class ModelResult:
    """One row of the leaderboard."""

    name: str
    score: FoldEstimate
    bootstrap: Interval
    rank: tuple[int, int]
    """Best and worst rank that the verdicts on all pairs allow."""
    fold_scores: tuple[tuple[float, ...], ...]
    """By seed and fold."""
    seeds: tuple[int | None, ...]
    seed_std: float | None
    """Standard deviation of the means of the seeds."""
    balanced_accuracy: float | None
    log_loss: float
    calibration_error: float
    corrupted_score: float | None
    """Mean score on corrupted test clips, over the folds that are compared; None unless it was measured for them."""
    protocol: Protocol
    costs: Costs
    pareto: bool
    """On the Pareto front of score against the chosen cost."""
    sweep: Mapping[str, Any] = field(default_factory=dict)
    config: str | None = None


@dataclass(frozen=True)
class DatasetResult:
    """All models on one data set, best first."""

    title: str
    clips: int
    recordings: int
    recordings_known: bool
    classes: int
    folds: tuple[int, ...]
    metric: Literal["accuracy", "mAP"]
    margin: float
    cost: str
    """The cost of the Pareto front."""
    baseline: str
    chosen_by_score: bool
    """Whether the baseline is the best model because none was named."""
    models: tuple[ModelResult, ...]
    against_baseline: tuple[PairResult, ...]
    pairs: tuple[PairResult, ...]
    """All pairs, if asked for."""
    effects: tuple[MainEffect, ...]
    notes: tuple[str, ...]

    def verdict_on(self, name: str) -> PairResult | None:
        """A model against the baseline; None for the baseline itself."""
        return next((pair for pair in self.against_baseline if pair.first == name), None)


@dataclass(frozen=True)
class Comparison(Sequence[dict[str, Any]]):
    """The result of `audiosurvey compare`. As a sequence, it holds the records of its models."""

    datasets: tuple[DatasetResult, ...]
    left_out: tuple[str, ...] = ()
    """A line for each run that is not compared, with the reason."""
    ranks: Mapping[str, float] = field(default_factory=dict)
    """Mean rank of each model over the data sets, if there are five or more."""
    critical_difference: float | None = None
    """Mean ranks further apart than this differ (Nemenyi)."""
    friedman_p: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """One dict a model and data set, best first: the rows of `compare --csv`. Scores are shares."""
        from audiosurvey.comparison.output.records import records

        return records(self)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> Any:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)
