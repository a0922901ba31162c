"""The config of an estimator: that of a preset or a file, for the sounds that `fit` is given."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from audiosurvey.api.arguments import loaded
from audiosurvey.config.checks.obstacles import obstacles
from audiosurvey.config.reading.faults import refuse
from audiosurvey.config.root import Config
from audiosurvey.errors import Fault
from audiosurvey.model.encoders.settings import EncoderItem
from audiosurvey.runs.stages.final import final_config

TITLE = "sounds given to AudioClassifier"
_OWN = ("clip_seconds", "pad", "mono", "store", "licence")
"""Keys of `dataset` that say how sounds are read; what the sounds are is up to `fit`."""


def fitting_config(source: Any, overrides: Any, random_state: Any) -> Config:
    """The config that one model is trained with: on all sounds, to the last epoch.

    `random_state` None: with the seed of the config. Raises UserError for a config that needs held-out or other clips.
    """
    found = loaded(source, () if overrides is None else overrides)
    config = found.config
    kept = {name: getattr(config.dataset, name) for name in _OWN}
    kept |= {"clip_seconds": config.dataset.resolved_clip_seconds()}
    dataset = type(config.dataset)(name="csv", table=Path("clips.csv"), title=TITLE, **kept)
    own = config.model_copy(update={"dataset": dataset, "tracking": []} | _seeded(random_state))
    refuse(found.document, [*_out_of_place(config), *obstacles(own)])
    return final_config(own, own.train.epochs or 0)


def _seeded(random_state: Any) -> dict[str, int]:
    if random_state is None:
        return {}
    if isinstance(random_state, int | np.integer):
        return {"seed": int(random_state)}
    return {"seed": int(check_random_state(random_state).randint(np.iinfo(np.int32).max))}


def _out_of_place(config: Config) -> list[Fault]:
    """What has no meaning for an estimator: it trains on all sounds that it is given, and on no others."""
    only = "AudioClassifier trains on the sounds given to fit"
    faults = []
    if config.pretrain_dataset is not None:
        key = ("pretrain", "dataset") if config.pretrain.dataset else ("pretrain_urban",)
        faults.append(Fault(key, f"{only}; pretrain with audiosurvey.train, and give its model as model.init"))
    if config.dataset.other is not None:
        faults.append(Fault(("dataset", "other"), f"{only}; leave it out, or use audiosurvey.train"))
    if config.dataset.multi_label:
        faults.append(Fault(("dataset", "multi_label"), "AudioClassifier gives each sound one class"))
    if config.protocol.train_share < 1:
        faults.append(Fault(("protocol", "train_share"), f"{only}; give it fewer of them"))
    if not config.train.epochs and not config.train.head_only:
        stops = "ends when held-out clips no longer improve, and fit holds none out"
        faults.append(Fault(("train", "epochs"), f"with patience alone, training {stops}; give a number of epochs"))
    if config.train.head_only and any(_mixes_layers(block) for block in config.model.blocks or []):
        mend = "use layer: mean, or audiosurvey.train"
        faults.append(Fault(("train", "head_only"), f"AudioClassifier fits no mixture of layers (layer: all); {mend}"))
    return faults


def _mixes_layers(block: object) -> bool:
    return isinstance(block, EncoderItem) and block.encoder.layer == "all"
