"""Rules across sections about pretrained weights: that they are of this network, of this front end, and put to use."""

from collections.abc import Iterable

import torch

from audiosurvey.config.checks.rule import Check
from audiosurvey.config.checks.sketch import can_be_built, sketch
from audiosurvey.config.presets import preset_document, preset_names
from audiosurvey.config.root import Config
from audiosurvey.errors import Fault
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.weights.pretrained import fit_faults, hearing_faults, no_ensemble
from audiosurvey.model.weights.released import released

_INIT = ("model", "init")


def _weights_are_of_this_network(config: Config) -> Iterable[Fault]:
    """Another network is one fault, and not one in every setting of its front end besides."""
    init = config.model.init
    if init is None:
        return
    if config.model.members > 1 and released(init) is not None:
        yield Fault(_INIT, no_ensemble(init, config.model.members))
    elif (preset := _other_preset(config)) is not None:
        yield Fault(
            _INIT,
            f"{init}: the weights of preset {preset}, and the network is another; write preset: {preset}, or take "
            "weights of this network",
        )
    else:
        yield from hearing_faults(init, config.sample_rate, config.heard_mel)


def _other_preset(config: Config) -> str | None:
    """The preset that a published name is of, where the network is certainly none of it; None else."""
    name = (config.model.init or "").partition("/")[2]
    preset = next((known for known in preset_names() if name == known or name.startswith(f"{known}_")), None)
    if released(config.model.init or "") is None or preset is None:
        return None
    theirs = config.model_copy(update={"model": ModelConfig.model_validate(preset_document(preset).data["model"])})
    if config.model.blocks == theirs.model.blocks or not (can_be_built(config) and can_be_built(theirs)):
        return None
    return None if _sizes(config) == _sizes(theirs) else preset


def _weights_fit(config: Config) -> Iterable[Fault]:
    model = config.model
    # A wrong number of bands misfits in the network too: one fault is enough.
    if model.init is None or not can_be_built(config) or list(_weights_are_of_this_network(config)):
        return []
    return fit_faults(model.init, sketch(config))


def _frozen_weights_are_given(config: Config) -> Iterable[Fault]:
    if config.model.init is not None or config.pretrain_dataset is not None:
        return
    mend = "give model.init, or a pretraining, or leave it out"
    if config.model.freeze is not None:
        yield Fault(("model", "freeze"), f"what is frozen would keep random weights; {mend}")
    if config.model.keep_statistics:
        yield Fault(("model", "keep_statistics"), f"there are no statistics to keep; {mend}")


def _sizes(config: Config) -> list[torch.Size]:
    """Of all weights before the classifier, in the order of the blocks, whatever stands between them."""
    return [parameter.shape for parameter in sketch(config).blocks.parameters()]


WEIGHT_CHECKS = (
    Check(
        ("model.init", "model.preset", "model.blocks", "model.members", "sample_rate", "mel_spectrogram"),
        _weights_are_of_this_network,
    ),
    Check(("model", "sample_rate", "mel_spectrogram"), _weights_fit),
    Check(
        ("model.init", "model.freeze", "model.keep_statistics", "pretrain_urban", "pretrain.dataset"),
        _frozen_weights_are_given,
    ),
)
