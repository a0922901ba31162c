"""Rules across sections: whether the parts of a config fit together."""

from collections.abc import Collection, Iterable

import torch

from audiosurvey.config.checks.front_end_checks import FRAMES, FRONT_END_RULES, window_fits
from audiosurvey.config.checks.idle_checks import IDLE_RULES
from audiosurvey.config.checks.meta_network import can_be_built, meta_network
from audiosurvey.config.checks.rule import ConfigWarning, Rule
from audiosurvey.config.checks.training_checks import TRAINING_RULES
from audiosurvey.config.checks.weight_checks import WEIGHT_RULES
from audiosurvey.config.reading.document import Path
from audiosurvey.config.reading.validate import touches
from audiosurvey.config.root import Config
from audiosurvey.errors import Fault
from audiosurvey.model.blocks.drop import DropItem
from audiosurvey.model.faults import shape_faults, thread_shapes


def cross_faults(config: Config, replaced: Collection[Path] = ()) -> tuple[list[Fault], list[ConfigWarning]]:
    """All faults (it cannot work) and warnings (a likely mistake) of a config whose sections are valid.

    Nothing is said about parts that were `replaced` by defaults, or that depends on them.
    """
    found = [
        fault
        for rule in RULES
        if (config.hears_mel or not rule.about_mel)
        and not any(touches(tuple(key.split(".")), path) for key in rule.reads for path in replaced)
        for fault in rule.find(config)
        if not any(touches(fault.path, path) for path in replaced)
    ]
    return [f for f in found if not isinstance(f, ConfigWarning)], [f for f in found if isinstance(f, ConfigWarning)]


def _shapes_fit(config: Config) -> Iterable[Fault]:
    if config.hears_mel and config.num_frames < 1:
        return []
    return shape_faults(config.model, config.input_shape)


def _dropped_blocks_fit(config: Config) -> Iterable[Fault]:
    """Blocks of `drop` in the network, which are cut to the map."""
    heard = config.as_trained()
    if not can_be_built(heard):
        return
    for index, step in enumerate(thread_shapes(heard.model, heard.input_shape)):
        if not isinstance(step.block, DropItem):
            continue
        p, share, *sides = step.block.numbers
        frames, bands = step.entered[1:]
        if p and share and (sides[0] > frames or sides[1] > bands):
            yield ConfigWarning(
                ("model", "blocks", config.model.written(index), "drop"),
                f"a block of {sides[0]} frames x {sides[1]} bands is larger than the map here, {frames} x {bands}, and "
                "is cut to it",
            )


def _crop_fits(config: Config) -> Iterable[Fault]:
    return [Fault(("train", "crop_seconds"), why) for why in _crop_faults(config)]


def _pretraining_crop_fits(config: Config) -> Iterable[Fault]:
    dataset = config.pretrain_dataset
    if dataset is None or config.pretrain.crop_seconds is None:
        return []
    first = config.model_copy(update={"dataset": dataset, "train": config.pretrain})
    return [Fault(("pretrain", "crop_seconds"), why) for why in _crop_faults(first)]


def _crop_faults(config: Config) -> Iterable[str]:
    """Why the network cannot train on sections of `train.crop_seconds` and be evaluated on whole windows."""
    crop, window = config.train.crop_seconds, config.clip_seconds
    if crop is None or not can_be_built(config):
        return
    if crop > window:
        yield f"a section of {crop:g} s is longer than the clip of {window:g} s; lower it, or leave it out (null)"
        return
    heard = config.as_trained()
    faults = list(window_fits(heard)) if config.hears_mel else []
    if faults := faults or shape_faults(config.model, heard.input_shape):
        yield f"too short: {faults[0].message}"
    elif _weight_shapes(config) != _weight_shapes(heard):
        yield (
            f"the weights of this network depend on the length of the clip: it cannot train on {crop:g} s and be "
            f"evaluated on {window:g} s; leave it out"
        )


def _weight_shapes(config: Config) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in meta_network(config).state_dict().items()}


_SHAPES = (*FRAMES, "mel_spectrogram.n_mels", "model")
RULES = (
    *FRONT_END_RULES,
    Rule(_SHAPES, _shapes_fit),
    Rule((*_SHAPES, "train.crop_seconds"), _dropped_blocks_fit),
    Rule((*_SHAPES, "train.crop_seconds"), _crop_fits),
    Rule((*_SHAPES, "pretrain", "pretrain_urban"), _pretraining_crop_fits),
    *WEIGHT_RULES,
    *TRAINING_RULES,
    *IDLE_RULES,
)
"""Every rule, in no particular order: faults are sorted by their place in the file."""
