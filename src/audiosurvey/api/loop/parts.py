"""Parts of a training for one's own loop: front end, network, optimizer, learning rate, average of the weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audiosurvey.api.arguments import loaded, need_at_least
from audiosurvey.api.state import keeps_state
from audiosurvey.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from audiosurvey.config.loader import ConfigSource
    from audiosurvey.model.network import Network
    from audiosurvey.training.averaging import Average


@keeps_state
def front_end(config: "ConfigSource") -> "nn.Module":
    """The front end of a config's network, without trained parameters.

    Args:
        config: as in `load_config`.

    Returns:
        A module. Input: waves (B, S), float with full scale 1, at `config.sample_rate` Hz, on any device. Output: mel
        spectrograms (B, 1, T, F), float32, in the units of `mel_spectrogram.compression` (`db`: decibels); for networks
        on waveforms (B, 1, S), and for those on both a pair of the two. T is the number of frames (one per
        `hop_length` seconds), F of mel bands.

    Raises:
        UserError: for faults of the config.
    """
    from audiosurvey.features.front_end import make_front_end

    found = loaded(config).config
    return make_front_end(found.model.hears, found.mel_spectrogram, found.sample_rate)


@keeps_state
def network(
    model: "ConfigSource | Sequence[Mapping[str, Any]]",
    *,
    classes: int,
    init: str | None = None,
    seed: int = 0,
    fold: int | None = None,
) -> "Network":
    """A new network.

    Args:
        model: a config as in `load_config`, such as the name of a preset, or a list of blocks of the config's grammar.
        classes: number of outputs, K.
        init: pretrained weights as in `model.init`; None: those that the config names, if any. The classifier is new.
        seed: the weights are a function of it.
        fold: instead of `seed`: begin with the weights with which `train` begins this fold.

    Returns:
        A module in training mode on the CPU. Input: the output of `front_end`. Output: logits (B, K). It standardises
        its input itself. Blocks that the config freezes are frozen as in the first epoch.

    Raises:
        UserError: for faults of the config, and for weights that do not fit.
    """
    from audiosurvey.config.network import network_of
    from audiosurvey.model.blocks.normalise import BandStatistics
    from audiosurvey.randomness import torch_seed
    from audiosurvey.runs.stages.starting import open_pretrained

    need_at_least(1, classes=classes, fold=fold)
    source: Any = model
    if isinstance(model, Sequence) and not isinstance(model, str):
        source = {"model": {"blocks": list(model)}}
    found = loaded(source, {} if init is None else {"model.init": init}).config
    chosen = seed if fold is None else torch_seed(found.seed, "train", fold, "init")
    made = network_of(found, classes, seed=chosen)
    if isinstance(made.standardize, BandStatistics):
        raise UserError(
            "mel_spectrogram.standardize: statistics: are those of training clips, which only `train` measures; "
            "set it to batch_norm"
        )
    pretrained = open_pretrained(found)
    if pretrained is not None:
        pretrained.weights.put_into(made)
    starts = pretrained is not None
    made.freeze(found.model.frozen("train", epoch=1) if starts else [])
    made.keep_statistics(found.model.keep_statistics and starts)
    return made


@keeps_state
def optimizer(config: "ConfigSource", network: "Network") -> "torch.optim.Optimizer":
    """The optimizer of a config, with its weight decay and learning rates of layers.

    Args:
        config: as in `load_config`.
        network: the network to train.

    Returns:
        An optimizer whose parameter groups have the maximum learning rate `train.lr`; see `learning_rate`.

    Raises:
        UserError: for faults of the config.
    """
    from audiosurvey.training.ensemble import belonging
    from audiosurvey.training.optimizer import build_optimizer, layer_rates

    found = loaded(config).config
    decay = found.optimizer.layer_decay if found.model.starts_from_weights("train") and found.model.init else 1.0
    return build_optimizer(
        network.parameters(),
        found.optimizer,
        lr=found.train.lr,
        weight_decay=found.train.weight_decay,
        rates=layer_rates(network, decay) if decay < 1 else None,
        belonging=belonging(network),
    )


def learning_rate(config: "ConfigSource", step: int, steps: int) -> float:
    """The learning rate of a config at an optimizer step, by its schedule.

    Args:
        config: as in `load_config`; give a loaded config, since this is called often.
        step: number of the step, from 0.
        steps: all steps of the training.

    Returns:
        The learning rate. With `optimizer.layer_decay`, multiply it by the `rate` of each parameter group.

    Raises:
        UserError: for faults of the config.
    """
    from audiosurvey.training.schedule import rate_factor

    found = loaded(config).config
    return found.train.lr * rate_factor(found.for_stage(found.train).schedule, step, steps)


@keeps_state
def average(config: "ConfigSource", network: "Network") -> "Average":
    """The moving average of the weights of a config, which is evaluated in place of the trained weights.

    Args:
        config: as in `load_config`.
        network: the network to train; it is copied.

    Returns:
        An average: call `update(network, step)` after each step (from 0); `.network` is the averaged network, or equal
        to the trained one if the config asks for no average.

    Raises:
        UserError: for faults of the config, and for `swa.start`, whose statistics only `train` counts anew.
    """
    from audiosurvey.training.averaging import Average

    found = loaded(config).config
    if found.swa.start is not None:
        raise UserError("swa.start: only `train` can do this, which counts statistics anew; set ema.decay instead")
    return Average(network, found.for_stage(found.train).ema.decay or 0.0)
