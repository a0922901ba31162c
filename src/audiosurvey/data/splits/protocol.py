"""The `protocol` section: which weights are reported, and whether recordings may leak between the sides of a split."""

from typing import Annotated, Literal

from pydantic import Field

from audiosurvey.section import Section


class ProtocolConfig(Section):
    """The evaluation protocol."""

    selection: Literal["auto", "last", "validation", "test"] = "auto"
    """Which epoch is used. `last`: the last, with averaged weights if any; `validation`: the best on a validation fold,
    the cyclically next one, which is excluded from training; `test`: the best on the test fold itself, which is
    optimistic, and marked as such wherever the result is shown. `auto`: `validation` with early stopping, else
    `last`."""
    allow_leakage: bool = False
    """Train even if a recording (same source, same file, or identical content) is on both sides of a split; the result
    is marked."""
    test_every: int = Field(default=1, ge=0)
    """Number of epochs between evaluations of the test fold, for the learning curves only; 0: only at the end. With
    `selection: test` it is evaluated every epoch."""
    train_share: float = Field(default=1.0, gt=0, le=1)
    """Fraction of the training clips to train on, for learning curves over the amount of data: a stratified subset,
    drawn with the seed; smaller subsets are contained in larger ones. Test and validation folds stay whole. A final
    model is trained on the same fraction of all clips."""
    tuned_on: list[Annotated[int, Field(ge=1)]] = []
    """Folds whose scores helped to choose this recipe (learning rate, network, ...), by hand or by a search. Scores on
    these folds are too high on average, and results are marked with them wherever they are shown. A recipe chosen by
    the validation folds of all splits has used the labels of all folds."""
