"""The section `search` of a survey file: what is varied, and on which folds it is scored."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from audiosurvey.section import Section

Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]


class Range(Section):
    """The values of one key: one of the four forms."""

    log: Bounds | None = None
    """Bounds of a number whose logarithm is uniform, such as `[1e-4, 1e-2]`."""
    uniform: Bounds | None = None
    """Bounds of a number."""
    int: Bounds | None = None
    """Bounds of a whole number, both included."""
    choice: list[Any] | None = Field(default=None, min_length=2)
    """A list of values of any type."""

    @model_validator(mode="after")
    def _one(self) -> "Range":
        given = [name for name in ("log", "uniform", "int", "choice") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("expected one of log, uniform, int and choice")
        if given != ["choice"]:
            low, high = getattr(self, given[0])
            if low >= high:
                raise ValueError(f"{given[0]}: the first bound must be below the second")
            if given == ["log"] and low <= 0:
                raise ValueError("log: the bounds must be above 0")
            if given == ["int"] and (low != round(low) or high != round(high)):
                raise ValueError("int: the bounds must be whole numbers")
        return self


class SearchSpec(Section):
    """A search for the best values of some keys of one config. Trials are scored on validation folds only."""

    trials: int = Field(default=50, ge=1)
    """Trials; with the scheme `nested`, for each tested fold."""
    scheme: Literal["nested", "single", "pooled"] = "nested"
    """`nested`: one search for each tested fold, on the other folds alone: the only scheme after which the score over
    all folds is unbiased. `single`: one search on the validation fold of the first split. `pooled`: every trial is
    scored on the validation folds of all splits, which together are all clips. Results after `single` and `pooled` are
    marked as tuned on these folds."""
    space: dict[str, Range] = Field(min_length=1)
    """Dotted keys and their ranges: `{train.lr: {log: [1e-4, 1e-2]}, loss.name: {choice: [cross_entropy, bce]}}`."""
    objective: Literal["auto", "accuracy", "balanced_accuracy", "f1", "map", "loss"] = "auto"
    """The score of a trial on the validation fold, after the last epoch. `auto`: accuracy, or mAP for several labels
    per clip; `balanced_accuracy`: the mean recall of the classes, where some have few clips; `f1`: the mean F1 score of
    the classes; `loss`: the cross-entropy, to be minimised."""
    prune: bool = False
    """End trials early whose score after an epoch is below the median of the earlier trials after that epoch."""
    seed: int = Field(default=0, ge=0)
    """Seed of the search."""
