"""What prevents a valid config from being trained on this machine: missing files and packages, too few classes.

In: a config that holds. Out: faults with the path of the key. They are for `check` and `train`; what only describes a
network, or evaluates a model on the data of a config, can do without. Nothing is fetched, and data that is not there
yet is not judged.
"""

from collections.abc import Iterable
from importlib.util import find_spec

from audiosurvey.augment.wave.background import missing_background
from audiosurvey.augment.wave.reverb import missing_rooms
from audiosurvey.config.reading.document import Path
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig, builtin_classes, load_table
from audiosurvey.data.sets.classes import kept_classes, unknown_classes
from audiosurvey.errors import Fault, UserError
from audiosurvey.model.encoders.settings import EncoderItem
from audiosurvey.model.weights.released import missing_weights

_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}

_SYNCED = ("cuda", "xpu")
"""Kinds of devices that torch's SyncBatchNorm runs on."""


def obstacles(config: Config) -> list[Fault]:
    """Everything that `train` would stop at before it begins, as far as can be told in no time."""
    return [
        *_weights(config),
        *_runtimes(config),
        *_classes(config.dataset, ("dataset",)),
        *(_classes(config.pretrain.dataset, ("pretrain", "dataset")) if config.pretrain.dataset else ()),
        *_rooms(config),
        *_background(config),
        *_trackers(config),
    ]


def device_obstacles(config: Config, device_type: str) -> list[Fault]:
    """What this kind of device (`cpu`, `cuda`) cannot do."""
    if device_type in _SYNCED:
        return []
    mend = "set it to false, or train on the device cuda"
    return [
        Fault((name, "sync_batchnorm"), f"torch's SyncBatchNorm needs a GPU, and this run is on {device_type}; {mend}")
        for name, stage in config.stages.items()
        if stage.sync_batchnorm
    ]


def _weights(config: Config) -> Iterable[Fault]:
    init = config.model.init
    if init is not None and (missing := missing_weights(init)) is not None:
        yield Fault(("model", "init"), missing)


def _runtimes(config: Config) -> Iterable[Fault]:
    for index, block in enumerate(config.model.blocks or []):
        if isinstance(block, EncoderItem) and (extra := block.missing_runtime) is not None:
            where = ("model", "blocks", index, "encoder", "file")
            yield Fault(where, f"its runtime is not installed; pip install 'audiosurvey[{extra}]'")


def _classes(dataset: DatasetConfig, where: Path) -> Iterable[Fault]:
    asked = {key: getattr(dataset, key) for key in ("exclude_classes", "classes") if getattr(dataset, key) is not None}
    if not asked or (found := _all_classes(dataset)) is None:
        return
    known, several_labels = found
    unknown = [Fault((*where, key), fault) for key in asked for fault in unknown_classes(asked[key], known)]
    if unknown:
        yield from unknown
        return
    left = kept_classes(known, dataset.classes, dataset.exclude_classes)
    if len(left) < (1 if several_labels else 2):
        what = f"'{left[0]}' is the only class left" if left else "no class is left"
        yield Fault((*where, next(iter(asked))), f"{what}; classification needs at least two")


def _all_classes(dataset: DatasetConfig) -> tuple[tuple[str, ...], bool] | None:
    """The classes of a data set, and whether a clip may have several; None where the data is not there."""
    whole = dataset.model_copy(update={"classes": None, "exclude_classes": None, "ignore": None})
    if (known := builtin_classes(whole)) is not None:
        return known, False
    try:
        table = load_table(whole, divide=False)
    except UserError:
        return None
    return table.classes, table.multi_label


def _rooms(config: Config) -> Iterable[Fault]:
    reverb = config.augmentation.reverb
    if reverb.p > 0 and (missing := missing_rooms(reverb, config.sample_rate)) is not None:
        yield Fault(("augmentation", "reverb", "folder"), missing)


def _background(config: Config) -> Iterable[Fault]:
    background = config.augmentation.background
    if background.p > 0 and (missing := missing_background(background)) is not None:
        yield Fault(("augmentation", "background", "folder"), missing)


def _trackers(config: Config) -> Iterable[Fault]:
    for index, name in enumerate(config.tracking):
        if find_spec(_PACKAGES[name]) is None:
            mend = f"run 'pip install {_PACKAGES[name]}' or take it out"
            yield Fault(("tracking", index), f"{name} is not installed; {mend}")
