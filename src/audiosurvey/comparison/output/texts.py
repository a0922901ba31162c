"""The rows of a comparison as text, a field for each cell: the same on the terminal, in Markdown and on the page."""

from dataclasses import dataclass

from audiosurvey.comparison.costs import Costs
from audiosurvey.comparison.effects import MainEffect
from audiosurvey.comparison.output.wording import (
    interval_text,
    p_text,
    points,
    range_text,
    ratio_text,
    signed_interval_text,
    signed_points,
)
from audiosurvey.comparison.result import DatasetResult, ModelResult, PairResult


@dataclass(frozen=True)
class ModelText:
    """A model. What is not known is `-`."""

    name: str
    rank: str
    score: str
    """In percent, like the other scores and intervals."""
    interval: str
    """Over the folds."""
    bootstrap: str
    """Over the recordings."""
    verdict: str
    """`baseline`, or the verdict against it; `-` with one fold."""
    difference: str
    """To the baseline, in points; `-` for the baseline itself."""
    seeds: str
    seed_std: str
    balanced: str
    log_loss: str
    calibration: str
    corrupted: str
    selection: str
    official: str
    tuned_on: str
    pretrained: str
    marks: tuple[str, ...]
    """What has to be said beside the score."""
    parameters: str
    macs: str
    seconds: str
    energy: str
    """In Wh; after `~` if it is estimated."""
    ms: str
    mb: str
    peak: str
    machine: str
    front: str
    """`yes` on the Pareto front, else empty."""


@dataclass(frozen=True)
class PairText:
    """The first model against the second."""

    first: str
    second: str
    verdict: str
    difference: str
    interval: str
    p: str
    p_equivalence: str
    p_as_trained: str
    p_mcnemar: str


@dataclass(frozen=True)
class EffectText:
    """A value of a swept key against the reference value."""

    key: str
    value: str
    reference: str
    difference: str
    interval: str
    pairs: str


def model_texts(dataset: DatasetResult) -> list[ModelText]:
    """The models of a data set, best first."""
    return [_model_text(model, dataset.verdict_on(model.name)) for model in dataset.models]


def _model_text(model: ModelResult, pair: PairResult | None) -> ModelText:
    """`pair`: the model against the baseline; None for the baseline itself."""
    costs, protocol = model.costs, model.protocol
    return ModelText(
        name=model.name,
        rank=range_text(model.rank),
        score=points(model.score.mean),
        interval=interval_text(model.score),
        bootstrap=f"{points(model.bootstrap.low)} to {points(model.bootstrap.high)}",
        verdict="baseline" if pair is None else pair.verdict or "-",
        difference=signed_points(None if pair is None else pair.retrained.mean),
        seeds=str(len(model.seeds)),
        seed_std=points(model.seed_std),
        balanced=points(model.balanced_accuracy),
        log_loss=f"{model.log_loss:.3f}",
        calibration=f"{model.calibration_error:.3f}",
        corrupted=points(model.corrupted_score),
        selection=protocol.selection or "-",
        official="-" if protocol.official is None else "yes" if protocol.official else "no",
        tuned_on=f"folds {', '.join(map(str, protocol.tuned_on))}" if protocol.tuned_on else "-",
        pretrained=protocol.pretrained_on or "-",
        marks=tuple(line for line in protocol.caveats if not line.startswith("own folds")),
        parameters=ratio_text(costs.parameters),
        macs=ratio_text(costs.macs),
        seconds=_number(costs.train_seconds, ".0f"),
        energy=_energy(costs),
        ms=_number(costs.ms_per_clip, ".3g"),
        mb=_number(costs.model_mb, ".3g"),
        peak=_number(costs.peak_memory_mb, ".0f"),
        machine=costs.machine or "-",
        front="yes" if model.pareto else "",
    )


def pair_text(pair: PairResult) -> PairText:
    retrained = pair.retrained
    return PairText(
        first=pair.first,
        second=pair.second,
        verdict=pair.verdict or "-",
        difference=signed_points(retrained.mean),
        interval=signed_interval_text(retrained.low, retrained.high),
        p=p_text(pair.p_holm),
        p_equivalence=p_text(pair.p_equivalence),
        p_as_trained=p_text(pair.p_as_trained),
        p_mcnemar=p_text(pair.p_mcnemar),
    )


def effect_text(effect: MainEffect) -> EffectText:
    difference = effect.difference
    return EffectText(
        key=effect.key,
        value=str(effect.value),
        reference=str(effect.reference),
        difference=signed_points(difference.mean),
        interval=signed_interval_text(difference.low, difference.high),
        pairs=str(effect.pairs),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _energy(costs: Costs) -> str:
    return ("~" if costs.energy_estimated and costs.energy_wh is not None else "") + _number(costs.energy_wh, ".3g")
