"""Which keys of a config were given, for warnings about those that change nothing.

A key counts as given where its value is another than the default, so that a config with every value in it is not
warned about.
"""

from audiosurvey.config.reading.document import Path
from audiosurvey.config.root import Config
from audiosurvey.training.settings import PretrainConfig, TrainConfig


def is_given(config: Config, path: Path, defaults: Config) -> bool:
    """Whether the value at `path` is another than in `defaults`."""
    return value_at(config, path) != value_at(defaults, path)


def value_at(config: Config, path: Path) -> object:
    value: object = config
    for key in path:
        value = getattr(value, str(key))
    return value


def defaults_beside(config: Config) -> Config:
    """The resolved defaults beside what settles others by itself: a patience, and an even average of the weights.

    The patience is then taken out again, so that it counts as given; a patience of 0 is none.
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
