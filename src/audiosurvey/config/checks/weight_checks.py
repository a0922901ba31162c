"""Rules across sections about pretrained weights: they fit the network and the front end, and are used."""

from collections.abc import Iterable

import torch

from audiosurvey.config.checks.meta_network import can_be_built, meta_network
from audiosurvey.config.checks.rule import Rule
from audiosurvey.config.init_weights import fit_faults, hearing_faults
from audiosurvey.config.presets import preset_document, preset_names
from audiosurvey.config.root import Config
from audiosurvey.errors import Fault
from audiosurvey.model.encoders.settings import EncoderItem
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.weights.pretrained import no_ensemble
from audiosurvey.model.weights.released import released

_INIT = ("model", "init")


def _weights_are_of_this_network(config: Config) -> Iterable[Fault]:
    """Weights of another network are one fault, rather than one for each setting of their front end."""
    init = config.model.init
    if init is None:
        return
    if config.model.members > 1 and released(init) is not None:
        yield Fault(_INIT, no_ensemble(init, config.model.members))
    elif (preset := _other_preset(config)) is not None:
        yield Fault(
            _INIT,
            f"{init}: the weights are of preset {preset}, but the network is different; use preset: {preset}, or "
            "weights of this network",
        )
    else:
        yield from hearing_faults(init, config.sample_rate, config.heard_mel)


def _other_preset(config: Config) -> str | None:
    """The preset that published weights belong to, if the network is certainly another one; else None."""
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
    # A wrong number of bands would be reported twice.
    if model.init is None or not can_be_built(config) or list(_weights_are_of_this_network(config)):
        return []
    return fit_faults(model.init, meta_network(config))


def _frozen_weights_are_given(config: Config) -> Iterable[Fault]:
    if config.model.init is not None or config.pretrain_dataset is not None:
        return
    mend = "set model.init or pretrain.dataset, or leave it out"
    if config.model.freeze is not None:
        yield Fault(("model", "freeze"), f"frozen blocks would keep random weights; {mend}")
    if config.model.keep_statistics:
        yield Fault(("model", "keep_statistics"), f"there are no statistics to keep; {mend}")


def _encoder_sample_rate(config: Config) -> Iterable[Fault]:
    for block in config.model.blocks or []:
        if not isinstance(block, EncoderItem) or (trained := block.trained_rate_hz) is None:
            continue
        if config.sample_rate != trained:
            yield Fault(
                ("sample_rate",),
                f"{config.sample_rate}, the encoder {block.name} was trained at {trained} Hz; write "
                f"sample_rate: {trained}",
            )
        fits_mixture = block is (config.model.blocks or [])[-1] and config.model.members == 1
        if block.encoder.layer == "all" and config.train.head_only and not fits_mixture:
            yield Fault(
                ("train", "head_only"),
                "fits the mixture of the encoder's layers (layer: all) only where the encoder is the last block, "
                "without model.members; use model.freeze: body, or layer: mean",
            )


def _encoder_files_are_frozen(config: Config) -> Iterable[Fault]:
    for index, block in enumerate(config.model.blocks or []):
        if not isinstance(block, EncoderItem) or not block.is_file:
            continue
        where = ("model", "blocks", index, "encoder")
        if config.pretrain_dataset is not None:
            yield Fault(where, "an encoder from a file is not trained; leave pretrain.dataset out")
        elif not config.train.head_only and index not in config.model.frozen("train", None):
            yield Fault(
                where,
                "an encoder from a file is not trained; write train: {head_only: true} for a linear probe, or "
                f"model.freeze: {index + 1} to train the blocks after it",
            )


def _sizes(config: Config) -> list[torch.Size]:
    """Of all weights before the classifier, in the order of the blocks."""
    return [parameter.shape for parameter in meta_network(config).blocks.parameters()]


WEIGHT_RULES = (
    Rule(
        ("model.init", "model.preset", "model.blocks", "model.members", "sample_rate", "mel_spectrogram"),
        _weights_are_of_this_network,
    ),
    Rule(("model", "sample_rate", "mel_spectrogram"), _weights_fit),
    Rule(("model.blocks", "model.members", "sample_rate", "train.head_only"), _encoder_sample_rate),
    Rule(
        ("model.blocks", "model.freeze", "model.thaw", "train.head_only", "pretrain.dataset"), _encoder_files_are_frozen
    ),
    Rule(
        ("model.init", "model.freeze", "model.keep_statistics", "pretrain_urban", "pretrain.dataset"),
        _frozen_weights_are_given,
    ),
)
