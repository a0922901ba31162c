"""Arguments that several functions of the API take, and what is made of them."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosurvey.api.progress import warn

if TYPE_CHECKING:
    from audiosurvey.config.loader import ConfigSource, LoadedConfig, Overrides
    from audiosurvey.data.dataset import DatasetConfig

PathLike = str | os.PathLike[str]


def path_or_none(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)


def several(paths: PathLike | Iterable[PathLike]) -> list[Path]:
    """One path or several as a list."""
    return [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]


def numbers(folds: int | Sequence[int] | None) -> list[int] | None:
    """One number of a fold or several as a list; None for all."""
    if folds is None:
        return None
    return [folds] if isinstance(folds, int) else list(folds)


def data_of(data: Any) -> "str | DatasetConfig | None":
    """Data that are given by name, or as a table in memory or a config, whose data set is meant."""
    if data is None or isinstance(data, str | os.PathLike):
        return None if data is None else os.fspath(data)
    from audiosurvey.data.sets.in_memory import is_table

    return loaded({"dataset": data} if is_table(data) else data).config.dataset


def loaded(config: "ConfigSource", overrides: "Overrides" = ()) -> "LoadedConfig":
    """The checked config; its warnings are logged, unless it was loaded before."""
    from audiosurvey.config.loader import LoadedConfig, load_config

    found = load_config(config, overrides)
    if not isinstance(config, LoadedConfig) or overrides:
        for line in found.warnings:
            warn(line)
    return found
