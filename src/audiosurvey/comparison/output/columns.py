"""The tables of a comparison as columns: the same titles and cells on the terminal and on the page."""

from collections.abc import Sequence

from audiosurvey.comparison.output.texts import EffectText, ModelText, PairText
from audiosurvey.comparison.output.wording import points
from audiosurvey.comparison.result import DatasetResult
from audiosurvey.pages.columns import Column, Kind


def leaderboard_columns(dataset: DatasetResult, models: Sequence[ModelText]) -> list[Column]:
    """Scores with their intervals and verdicts."""
    return [
        _names("model", [model.name for model in models]),
        _column("rank", [model.rank for model in models]),
        _column(f"{dataset.metric} %", [model.score for model in models]),
        _column("95 % over folds", [model.interval for model in models]),
        _column("95 % over recordings", [model.bootstrap for model in models]),
        _column("verdict", [model.verdict for model in models], "verdict"),
        _column("seeds", [model.seeds for model in models], once=True),
        _column("sd of seeds", [model.seed_std for model in models]),
    ]


def score_columns(dataset: DatasetResult, models: Sequence[ModelText]) -> list[Column]:
    """Other scores. Balanced accuracy is defined for one label per clip only."""
    balanced = [_column("balanced %", [model.balanced for model in models])]
    return [
        _names("model", [model.name for model in models]),
        *(balanced if dataset.metric == "accuracy" else []),
        _column("log loss", [model.log_loss for model in models]),
        _column("calib. error", [model.calibration for model in models]),
        _column("corrupted %", [model.corrupted for model in models]),
    ]


def protocol_columns(models: Sequence[ModelText]) -> list[Column]:
    """How the scores were made."""
    return [
        _names("model", [model.name for model in models]),
        _column("selection", [model.selection for model in models], "text", once=True),
        _column("official", [model.official for model in models], "text", once=True),
        _column("tuned on", [model.tuned_on for model in models], "text", once=True),
        _column("pretrained on", [model.pretrained for model in models], "text", once=True),
    ]


def pair_columns(dataset: DatasetResult, pairs: Sequence[PairText], *, both: bool) -> list[Column]:
    """Verdicts with their p. `both`: the second model is not always the baseline."""
    second = [_names("against", [pair.second for pair in pairs])] if both else []
    return [
        _names("model", [pair.first for pair in pairs]),
        *second,
        _column("verdict", [pair.verdict for pair in pairs], "verdict"),
        _column("points", [pair.difference for pair in pairs]),
        _column("95 %", [pair.interval for pair in pairs]),
        _column("p", [pair.p for pair in pairs]),
        _column(within_title(dataset), [pair.p_equivalence for pair in pairs]),
        _column("p as trained", [pair.p_as_trained for pair in pairs]),
        _column("McNemar", [pair.p_mcnemar for pair in pairs]),
    ]


def within_title(dataset: DatasetResult) -> str:
    """`p within 1.0`: the margin in points."""
    return f"p within {points(dataset.margin)}"


def effect_columns(effects: Sequence[EffectText]) -> list[Column]:
    """Main effects of a sweep."""
    return [
        _names("swept key", [effect.key for effect in effects]),
        _column("value", [effect.value for effect in effects], "text"),
        _column("against", [effect.reference for effect in effects], "text"),
        _column("points", [effect.difference for effect in effects]),
        _column("95 %", [effect.interval for effect in effects]),
        _column("pairs", [effect.pairs for effect in effects]),
    ]


def cost_columns(models: Sequence[ModelText]) -> list[Column]:
    """Costs. The machine is a column only if there are several."""
    machines = [model.machine for model in models]
    return [
        _names("model", [model.name for model in models]),
        _column("params", [model.parameters for model in models], once=True),
        _column("MACs", [model.macs for model in models], once=True),
        _column("train s", [model.seconds for model in models]),
        _column("Wh", [model.energy for model in models]),
        _column("ms per clip", [model.ms for model in models]),
        _column("MB", [model.mb for model in models], once=True),
        _column("peak MB", [model.peak for model in models]),
        *([_column("machine", machines, "text")] if len(set(machines)) > 1 else []),
        _column("on front", [model.front for model in models], "text"),
    ]


def machine_line(models: Sequence[ModelText]) -> str | None:
    """The machine that trained all models; None if there are several, or it is unknown."""
    (first, *others) = {model.machine for model in models}
    return None if others or first == "-" else f"trained on {first}"


def _names(title: str, cells: Sequence[str]) -> Column:
    return Column(title, tuple(cells), "name")


def _column(title: str, cells: Sequence[str], kind: Kind = "number", *, once: bool = False) -> Column:
    return Column(title, tuple(cells), kind, once)
