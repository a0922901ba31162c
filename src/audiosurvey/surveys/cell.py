"""A cell of a survey: one config, data set, seed and fold. Its id depends on everything that determines its result."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiosurvey.runs.results.recipes import without_places
from audiosurvey.runs.results.results import SCHEMA

if TYPE_CHECKING:
    # Both load torch, which is not needed to read the status of a survey.
    from audiosurvey.config.root import Config
    from audiosurvey.training.precision import Precision


@dataclass(frozen=True)
class Conditions:
    """What all cells of a survey have in common."""

    device: str
    """Kind of device: cpu, cuda or mps."""
    precision: "Precision"
    """The number format that `auto` stands for: fp32, bf16 or fp16."""
    threads: int
    """Processor threads of a cell."""

    def precision_of(self, config: "Config") -> "Precision":
        """The number format of a config under these conditions."""
        return self.precision if config.precision == "auto" else config.precision


@dataclass(frozen=True)
class DataKey:
    """The identity of what a cell learns from."""

    data: str
    """Hash of labels, folds, sources and contents of the data set."""
    pretrain_data: str | None = None
    init: str | None = None
    """SHA-256 of the weights of `model.init`."""
    background: str | None = None
    """Hash of the recordings of `augmentation.background`."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell as plan.json names it."""

    id: str
    shared: str
    row: str
    seed: int
    fold: int
    epochs: int
    """0: not known in advance."""

    @property
    def title(self) -> str:
        return f"{self.row}, seed {self.seed}, fold {self.fold}"


@dataclass(frozen=True)
class Cell:
    """One training. Plain data that can be pickled."""

    id: str
    row: str
    """Name of its recipe."""
    fold: int
    config: "Config"
    """Resolved, with the seed and the number format of this cell."""
    conditions: Conditions
    key: DataKey
    shared: str
    """Name of the folder of what it shares with other folds."""

    trial: bool = False
    """A trial of a search: trained on the training folds of its split without the validation fold, on which it is
    scored."""

    @property
    def seed(self) -> int:
        return self.config.seed

    @property
    def title(self) -> str:
        return f"{self.row}, seed {self.seed}, fold {self.fold}"

    @property
    def epochs(self) -> int:
        """0: not known in advance."""
        return 1 if self.config.train.head_only else self.config.train.epochs or 0

    @property
    def planned(self) -> PlannedCell:
        return PlannedCell(self.id, self.shared, self.row, self.seed, self.fold, self.epochs)


def make_cell(
    row: str, config: "Config", fold: int, conditions: Conditions, key: DataKey, *, trial: bool = False
) -> Cell:
    """A cell of a resolved config, which holds the seed."""
    return make_cells(row, config, [config.seed], [fold], conditions, key, trial=trial)[0]


def make_cells(
    row: str,
    config: "Config",
    seeds: Sequence[int],
    folds: Sequence[int],
    conditions: Conditions,
    key: DataKey,
    *,
    trial: bool = False,
) -> list[Cell]:
    """The cells of a resolved config with these seeds and folds, seed by seed."""
    config = config.model_copy(update={"precision": conditions.precision_of(config)})
    identity = _identity(config, conditions, key)
    recipe = _hash(identity)
    common = _hash({name: value for name, value in identity.items() if not name.startswith(_NOT_SHARED)})
    cells: list[Cell] = []
    for seed in seeds:
        seeded = config.model_copy(update={"seed": seed})
        shared = _hash({"common": common, "seed": seed})
        for fold in folds:
            own = {"recipe": recipe, "seed": seed, "fold": fold} | ({"trial": True} if trial else {})
            cells.append(Cell(_hash(own), row, fold, seeded, conditions, key, shared, trial))
    return cells


def recipe_hash(config: "Config", conditions: Conditions, key: DataKey) -> str:
    """Hash of all that determines a result except seed and fold."""
    config = config.model_copy(update={"precision": conditions.precision_of(config)})
    return _hash(_identity(config, conditions, key))


ADDED_LATER: dict[str, Any] = {
    "config.protocol.tuned_on": [],
    "config.protocol.train_share": 1.0,
    "config.dataset.other": None,
    "config.augmentation.background.p": 0.0,
    "config.augmentation.background.folder": None,
    "config.augmentation.background.min_snr_db": 5.0,
    "config.augmentation.background.max_snr_db": 30.0,
}
"""Keys that were added after surveys were first released, with the value that reproduces the earlier behaviour: cells
of earlier versions keep their ids."""
_NOT_SHARED = ("config.train.", "config.protocol.", "config.tracking")
"""Keys that have no influence on a pretraining."""


def _identity(config: "Config", conditions: Conditions, key: DataKey) -> dict[str, Any]:
    """All that determines a result except seed and fold. Paths are not part of it."""
    settings = without_places(config.model_dump(mode="json"))
    unchanged = {name for name, value in ADDED_LATER.items() if settings.get(name, value) == value}
    settings = {name: value for name, value in settings.items() if name not in unchanged}
    if key.init is not None:
        # The weights and recordings count, not where they lie.
        settings["config.model.init"] = key.init
    if key.background is not None:
        settings["config.augmentation.background.folder"] = key.background
    return {
        **settings,
        "schema": SCHEMA,
        "data": key.data,
        "pretrain_data": key.pretrain_data,
        "device": conditions.device,
        "threads": conditions.threads,
    }


def _hash(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
