"""Splits for one's own loop: those of a config, and folds of any labels."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audiosurvey.api.arguments import loaded
from audiosurvey.api.state import keeps_state
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split, assign_folds
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.runs.evaluation.heldout import fold_split

if TYPE_CHECKING:
    from audiosurvey.config.loader import ConfigSource


@keeps_state
def split(config: "ConfigSource", sounds: Sounds, fold: int) -> Split:
    """The clips that train, validate and test in one fold, as `train` divides them.

    Folds are those that a data set was published with, or else stratified by class and grouped by recording.

    Args:
        config: as in `load_config`; `protocol` says whether clips are held out for validation.
        sounds: the data set, from `audiosurvey.prepare`.
        fold: number of the fold that is tested, from 1.

    Returns:
        The clips of each side: `train`, `validation` (may be empty), `test`. No recording is on two sides.

    Raises:
        UserError: for a fold that does not exist, and for a recording on two sides of folds of your own.
    """
    return fold_split(loaded(config).config.resolved(), sounds.table, fold)


def splits(config: "ConfigSource", sounds: Sounds) -> Iterator[Split]:
    """The splits of all folds, one after the other.

    Args:
        config: as in `split`.
        sounds: as in `split`.

    Returns:
        An iterator over the folds in order.

    Raises:
        UserError: as `split` does.
    """
    found = loaded(config)
    return (split(found, sounds, fold) for fold in sounds.table.folds)


@keeps_state
def stratified_folds(
    labels: Sequence[str | Sequence[str]], folds: int = 5, *, groups: Sequence[str | None] | None = None
) -> np.ndarray:
    """Folds of any clips, stratified by label; those of one group are in one fold.

    Args:
        labels: the class of each of the N clips, or its classes.
        folds: number of folds.
        groups: the group of each clip, such as its recording, speaker or site; None: each clip stands alone.

    Returns:
        int64 (N): the number of the fold of each clip, from 1. They depend on the labels, the groups and the order.

    Raises:
        UserError: for lists of different lengths, a class with a single clip or group, and fewer groups than folds.
    """
    names = [(one,) if isinstance(one, str) else tuple(one) for one in labels]
    if groups is not None and len(groups) != len(names):
        raise UserError(f"{len(names)} labels and {len(groups)} groups; expected one group for each label")
    classes = sorted({name for own in names for name in own})
    width = len(str(len(names)))
    clips = [
        Clip(
            f"{row:0{width}}",
            Path(),
            tuple(sorted(classes.index(name) for name in own)),
            source=None if groups is None or groups[row] is None else str(groups[row]),
        )
        for row, own in enumerate(names)
    ]
    divided, _ = assign_folds(clips, folds, classes)
    return np.array([clip.fold for clip in divided], dtype=np.int64)
