"""The schema of a survey file: which configs are trained on which data, how often, and with what budget."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.section import Section
from audiosurvey.surveys.search.spec import SearchSpec
from audiosurvey.training.precision import Precision

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: Any) -> Any:
    """`90`, `45s`, `30m`, `2h`, `1d` in seconds."""
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]+)\s*", value) if isinstance(value, str) else None
    if found is None or found[2] not in _UNITS:
        if isinstance(value, str):
            raise ValueError(f"{value!r} is not a duration; expected seconds, or a number with a unit, such as 2h")
        return value
    return float(found[1]) * _UNITS[found[2]]


Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]


class ConfigEntry(Section):
    """A config of the survey with overrides of its own."""

    config: str
    """A config file, relative to the working directory or to the survey file, or the name of a preset."""
    name: str | None = None
    """Its name in tables and folders. null: that of the file or preset."""
    set: dict[str, Any] = {}
    """Overrides, by dotted key: `{train.lr: 1e-3}`."""


def _entry(value: Any) -> Any:
    return {"config": value} if isinstance(value, str) else value


Entry = Annotated[ConfigEntry, BeforeValidator(_entry)]


class Budget(Section):
    """The length of each training, the same for all configs: one of the three keys."""

    epochs: int | None = Field(default=None, ge=1)
    """Epochs, in place of those of the configs."""
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps, rounded to whole epochs."""
    seconds: Duration | None = None
    """Time of the training steps of one cell, converted into epochs once per config by a short measurement when the
    survey is planned."""

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        if sum(value is not None for value in (self.epochs, self.steps, self.seconds)) != 1:
            raise ValueError("expected exactly one of epochs, steps and seconds")
        return self


class SurveySpec(Section):
    """A survey: every config on every data set, with every combination of swept values, seed and fold."""

    configs: list[Entry] = Field(min_length=1)
    """Configs to compare: config files or names of presets, with overrides where needed (`config`, `name`, `set`)."""
    datasets: list[DatasetConfig] = []
    """Data sets, each with the keys of the section `dataset` of a config, which it replaces, except `clip_seconds`,
    `pad` and `mono` where they are not given. Empty: each config's own."""
    sweep: dict[str, Any] = {}
    """Grid over every config: each dotted key has a list of values. `list` in place of the keys: a list of
    combinations, each a mapping of keys to values."""
    seeds: list[Annotated[int, Field(ge=0)]] = Field(default=[0], min_length=1)
    """Seeds; each trains all folds."""
    folds: Literal["all"] | list[int] = "all"
    """Test folds to train: `all` or a list of numbers."""
    budget: Budget | None = None
    """Length of each training. null: each config's own `train.epochs`."""
    keep: Literal["predictions", "model", "all"] = "predictions"
    """What is kept of each cell: `predictions` (results, predictions and metrics), `model` (also the model), `all`
    (also the checkpoints)."""
    timeout: Duration | None = None
    """Maximum duration of a cell, in seconds or such as `2h`; a cell that takes longer fails."""
    max_failures: int | None = Field(default=None, ge=1)
    """Stop after this many failed cells. null: train all others whatever fails."""
    threads: int = Field(default=1, ge=1)
    """Processor threads of each cell. They determine the last digits of results, so they are part of a cell."""
    device: str = "auto"
    """Kind of device of all cells: `auto`, `cpu`, `cuda` or `mps`; settled when the survey is planned."""
    precision: Precision = "auto"
    """Number format of configs whose `precision` is `auto`; `auto` is settled once, when the survey is planned."""

    search: SearchSpec | None = None
    """Search for the best values of some keys, for one config and seed. Afterwards the official folds are trained with
    the config as it is and with what was found, to be compared."""

    @field_validator("seeds", "folds")
    @classmethod
    def _once(cls, value: Any) -> Any:
        if isinstance(value, list):
            if not value:
                raise ValueError("expected at least one number")
            if repeated := sorted({one for one in value if value.count(one) > 1}):
                raise ValueError(f"{repeated[0]} is listed twice")
        return value

    @field_validator("sweep")
    @classmethod
    def _values(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "list" in value:
            points = value["list"]
            if len(value) > 1:
                raise ValueError("list: expected alone; put the other keys into its combinations")
            if not isinstance(points, list) or not points or not all(isinstance(one, dict) and one for one in points):
                raise ValueError("list: expected a list of mappings, such as [{train.lr: 1e-3}, {train.lr: 3e-3}]")
            return value
        for key, values in value.items():
            if not isinstance(values, list) or not values:
                raise ValueError(f"{key}: expected a list of values, such as [1e-3, 3e-3]")
            if any(values.count(one) > 1 for one in values):
                raise ValueError(f"{key}: a value is listed twice")
        return value

    @model_validator(mode="after")
    def _search_alone(self) -> "SurveySpec":
        if self.search is not None and (self.sweep or max(map(len, (self.configs, self.seeds, self.datasets))) > 1):
            raise ValueError("search: expected with one config, one seed and at most one data set, without a sweep")
        return self

    def resolve_paths(self, find: Callable[[str], Path | None]) -> "SurveySpec":
        """The same with the paths of config files. `find`: the file of a config; None for a preset."""
        found = [str(find(entry.config) or entry.config) for entry in self.configs]
        entries = [entry.model_copy(update={"config": path}) for entry, path in zip(self.configs, found, strict=True)]
        return self.model_copy(update={"configs": entries})
