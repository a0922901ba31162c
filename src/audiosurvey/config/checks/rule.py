"""The parts of rules across sections, and which keys count as given."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from audiosurvey.config.reading.document import Path
from audiosurvey.config.root import Config
from audiosurvey.errors import Fault
from audiosurvey.training.settings import PretrainConfig, TrainConfig


class ConfigWarning(Fault):
    """A likely mistake, which does not keep a run from starting."""


@dataclass(frozen=True)
class Rule:
    """A rule across sections, and the dotted keys that it reads.

    It is skipped where one of these keys is faulty, because it would check a default instead of the given value.
    """

    reads: tuple[str, ...]
    find: Callable[[Config], Iterable[Fault]]
    about_mel: bool = False
    """Skipped where the network does not use the mel spectrogram."""


def is_given(config: Config, path: Path, defaults: Config) -> bool:
    """Whether the value at `path` differs from `defaults`: a config with every value written out gets no warnings."""
    return _value_at(config, path) != _value_at(defaults, path)


def defaults_beside(config: Config) -> Config:
    """The resolved defaults, given the config's patience and `swa`, which settle other keys.

    The patience itself is absent from the result, so that it counts as given; a patience of 0 is none.
    """
    settled = Config(
        train=TrainConfig(patience=config.train.patience),
        pretrain=PretrainConfig(patience=config.pretrain.patience),
        swa=config.swa,
    ).resolved()
    stages = {name: getattr(settled, name) for name in ("train", "pretrain")}
    return settled.model_copy(
        update={name: stage.model_copy(update={"patience": None}) for name, stage in stages.items() if stage.patience}
    )


def _value_at(config: Config, path: Path) -> object:
    value: object = config
    for key in path:
        value = getattr(value, str(key))
    return value
