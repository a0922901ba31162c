"""Warnings about settings that have no effect in combination with others."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from audiosurvey.augment.settings import MEL_MIXINGS, WAVE_MIXINGS
from audiosurvey.config.checks.rule import ConfigWarning, Rule, defaults_beside, is_given
from audiosurvey.config.root import Config
from audiosurvey.training.settings import PretrainConfig

_MIXINGS = (*WAVE_MIXINGS, *MEL_MIXINGS)
_OF_SCHEDULE = {
    "constant": (),
    "cosine": ("warmup", "final"),
    "one_cycle": ("warmup", "start", "final"),
    "ramp": ("warmup", "final", "ramp_start", "ramp_end"),
}
"""The keys that each schedule uses."""


@dataclass(frozen=True)
class Idle:
    """Keys of one section that are idle for the same reason."""

    section: str
    keys: tuple[str, ...]
    why: Callable[[Config, str], str | None]
    """Why a key is idle, or None. Enter the config and the key."""


def idle(config: Config) -> Iterable[ConfigWarning]:
    """A warning for each key that was given and is idle."""
    if config.train.head_only and config.pretrain_dataset is None:
        # No training step is taken, and another rule says so.
        return
    defaults = defaults_beside(config)
    for rule in IDLE:
        section = tuple(rule.section.split("."))
        for key in rule.keys:
            if is_given(config, (*section, key), defaults) and (why := rule.why(config, key)) is not None:
                yield ConfigWarning((*section, key), why)


def off(config: Config) -> Iterable[ConfigWarning]:
    """Operations with settings but no `p`."""
    for name in type(config.augmentation).model_fields:
        section = getattr(config.augmentation, name)
        keys = getattr(section, "model_fields_set", set())
        if keys and getattr(section, "p", None) == 0 and "p" not in keys:
            yield ConfigWarning(("augmentation", name), "is off, because its probability p is 0 by default")


def _of_sgd(config: Config, key: str) -> str | None:
    if config.optimizer.name != "sgd":
        return f"has no effect with optimizer.name: {config.optimizer.name}; only sgd uses it"
    return "has no effect with momentum: 0" if key == "nesterov" and not config.optimizer.momentum else None


def _of_adam(config: Config, key: str) -> str | None:
    if config.optimizer.name != "sgd":
        return None
    return "has no effect with optimizer.name: sgd, which uses only momentum"


def _layers_start_alike(config: Config, key: str) -> str | None:
    if config.model.init is not None or config.pretrain_dataset is not None:
        return None
    return "only slows down blocks that start from random weights; give model.init, or leave it out"


def _schedule_moves(config: Config, key: str) -> str | None:
    if any(not stage.open_ended for stage in config.stages.values()):
        return None
    return "has no effect: with patience alone and no train.epochs, every schedule is constant; give train.epochs"


def _schedule_has_it(config: Config, key: str) -> str | None:
    name = config.schedule.name
    if key in _OF_SCHEDULE[name]:
        return _schedule_moves(config, key)
    others = " and ".join(other for other, keys in _OF_SCHEDULE.items() if key in keys)
    return f"has no effect with schedule.name: {name}; only {others} uses it"


def _patience_sees_the_end(config: Config, key: str) -> str | None:
    train = config.train
    if config.schedule.name != "one_cycle" or not train.patience or train.patience >= (train.epochs or 0):
        return None
    return (
        "may end training before the learning rate has fallen (schedule.name: one_cycle), which is when the score "
        "improves; leave patience out, or take schedule.name: constant"
    )


def _head_is_fitted(config: Config, key: str) -> str | None:
    head = config.train.head_only or config.train.head_first
    return None if head else "has no effect without train.head_only or train.head_first"


def _pretraining_is_asked(config: Config, key: str) -> str | None:
    # One that is switched off explicitly (false, null) keeps its settings for later.
    if config.pretrain_dataset is not None:
        return None
    if "pretrain_urban" in config.model_fields_set or "dataset" in config.pretrain.model_fields_set:
        return None
    return "has no effect without pretraining; give pretrain.dataset, or pretrain_urban: true"


def _is_reached(config: Config, name: str) -> str | None:
    start, epochs = getattr(config.augmentation, name).start_epoch, [stage.epochs for stage in config.stages.values()]
    if getattr(config.augmentation, name).p == 0 or any(not number or start <= number for number in epochs):
        return None
    return f"{start} is never reached: train.epochs is {config.train.epochs}"


def _something_is_mixed(config: Config, key: str) -> str | None:
    if not any(getattr(config.augmentation, name).p for name in _MIXINGS):
        return f"has no effect where no clip is mixed; give a p to one of augmentation.{', '.join(_MIXINGS)}"
    if key == "union_below" and config.loss.mixed != "union":
        return f"has no effect with loss.mixed: {config.loss.mixed}; it applies to union"
    return None


def _waves_are_mixed(config: Config, key: str) -> str | None:
    if any(getattr(config.augmentation, name).p for name in WAVE_MIXINGS):
        return None
    return f"has no effect where no waves are mixed; give a p to one of {', '.join(WAVE_MIXINGS)}"


def _start_of(name: str) -> Idle:
    return Idle(f"augmentation.{name}", ("start_epoch",), lambda config, _: _is_reached(config, name))


IDLE = (
    Idle("optimizer", ("momentum", "nesterov"), _of_sgd),
    Idle("optimizer", ("beta1", "beta2", "eps"), _of_adam),
    Idle("optimizer", ("layer_decay",), _layers_start_alike),
    Idle("schedule", ("name",), _schedule_moves),
    Idle("schedule", ("warmup", "start", "final", "ramp_start", "ramp_end"), _schedule_has_it),
    Idle("train", ("patience",), _patience_sees_the_end),
    Idle("train", ("head_penalty",), _head_is_fitted),
    Idle("pretrain", tuple(key for key in PretrainConfig.model_fields if key != "dataset"), _pretraining_is_asked),
    *map(_start_of, _MIXINGS),
    Idle("loss", ("mixed", "union_below"), _something_is_mixed),
    Idle("augmentation", ("mix_waves",), _waves_are_mixed),
)
"""Every rule: the keys, and why they are idle."""

IDLE_RULES = (
    Rule(("optimizer", "schedule", "augmentation", "loss", "train", "pretrain", "pretrain_urban", "model.init"), idle),
    Rule(("augmentation",), off),
)
