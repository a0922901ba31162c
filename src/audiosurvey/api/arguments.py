"""Arguments that several functions of the API take, and what is made of them."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audiosurvey.api.progress import say, warn

if TYPE_CHECKING:
    from audiosurvey.config.loader import ConfigSource, LoadedConfig, Overrides

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
