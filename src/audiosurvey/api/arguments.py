"""Arguments that several functions of the API take, and what is made of them."""

import os
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosurvey.api.progress import say, warn
from audiosurvey.errors import ArgumentError

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
    """One number of a fold or several as a list; None for all. Raises UserError for anything but whole numbers."""
    if folds is None:
        return None
    found = list(folds) if isinstance(folds, Sequence) and not isinstance(folds, str) else [folds]
    if not all(isinstance(fold, Integral) and not isinstance(fold, bool) for fold in found):
        raise ArgumentError("{folds}: expected numbers of folds, such as [1, 2]", folds=folds)
    return [int(fold) for fold in found]


def need_at_least(least: int, **arguments: int | None) -> None:
    """Raises UserError for an argument that is not a whole number, or less than that; None is none."""
    for name, value in arguments.items():
        if value is not None and (not isinstance(value, Integral) or isinstance(value, bool) or value < least):
            raise ArgumentError(f"{{{name}}}: expected a whole number, at least {least}", **{name: value})


def data_of(data: Any) -> "str | DatasetConfig | None":
    """Data that are given by name, or as a table in memory or a config, whose data set is meant."""
    if data is None or isinstance(data, str | os.PathLike):
        return None if data is None else os.fspath(data)
    from audiosurvey.data.sets.in_memory import is_table

    return loaded({"dataset": data} if is_table(data) else data).config.dataset


def loaded(config: "ConfigSource", overrides: "Overrides" = ()) -> "LoadedConfig":
    """The checked config; its warnings and notes are logged, unless it was loaded before."""
    from audiosurvey.config.loader import LoadedConfig, load_config

    found = load_config(config, overrides)
    if not isinstance(config, LoadedConfig) or overrides:
        for line in found.warnings:
            warn(line)
        for line in found.notes:
            say(f"note: {line}")
    return found
