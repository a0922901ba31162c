"""The experiment of a config on this machine: its splits, its network, and its results before the first fold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audiosurvey.config.checks.meta_network import meta_network
from audiosurvey.config.root import Config
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split, split_notes
from audiosurvey.model.describe import Description, describe
from audiosurvey.runs.background_recordings import checked_background
from audiosurvey.runs.evaluation.heldout import fold_split
from audiosurvey.runs.results.results import RunResults, new_results
from audiosurvey.runs.stages.pretraining import check_length
from audiosurvey.runs.stages.starting import PretrainedWeights
from audiosurvey.training.loss import class_weights


@dataclass(frozen=True)
class Experiment:
    """A config together with its data and weights, checked and ready to train."""

    config: Config
    """Resolved."""
    sounds: Sounds
    """The target data; its notes include those on the splits."""
    init: PretrainedWeights | None
    """The weights of `model.init`."""
    pretrain_on: Sounds | None
    background_hash: str | None
    """Hash of the recordings of `augmentation.background`; None where they are not used."""
    splits: dict[int, Split]
    """The folds that were asked for."""
    description: Description
    """Of the network."""
    about: RunResults
    """Results without any fold."""


def open_experiment(
    config: Config,
    sounds: Sounds,
    *,
    init: PretrainedWeights | None = None,
    pretrain_on: Sounds | None = None,
    folds: Sequence[int] | None = None,
    description: Description | None = None,
) -> Experiment:
    """Checks a resolved config against its data. `folds` None: all of them; `description`: if it is known already.

    Raises UserError for a fold that does not exist, a recording on both sides of a split, class weights for unknown
    classes, pretraining clips that are too short for the network, and a background that contains clips.
    """
    asked = sorted(set(folds)) if folds else sounds.table.folds
    splits = {fold: fold_split(config, sounds.table, fold) for fold in asked}
    background = checked_background(config, sounds)
    notes = [*split_notes(sounds.table, splits.values()), *(background.notes() if background else ())]
    sounds = replace(sounds, table=replace(sounds.table, notes=(*sounds.table.notes, *notes)))
    # Raises for classes in loss.class_weights that the data does not have.
    class_weights(config.loss, sounds.table.classes, (), sounds.table.multi_label)
    leaking = any(split.leaking for split in splits.values())
    if init is not None:
        leaking |= init.refuse_seen(splits.values(), sounds, allow_leakage=config.protocol.allow_leakage)
    description = description or describe(meta_network(config, len(sounds.table.classes)), config.input_shape)
    if pretrain_on is not None:
        check_length(config, pretrain_on)
    about = new_results(config, sounds.table, sounds.store, leaking=leaking)
    about = about.changed(parameters=description.parameters, macs=description.whole_macs)
    return Experiment(config, sounds, init, pretrain_on, background and background.hash, splits, description, about)
