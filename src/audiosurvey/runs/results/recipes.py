"""Comparison of stored configs: which keys belong to the recipe, and which only say where and how fast it trained."""

from typing import Any

PATHS_AND_SPEED = {
    f"config.{stage}{key}"
    for stage, keys in {
        "": ("tracking",),
        "dataset.": ("root", "store", "other.path", "title"),
        "train.": ("num_workers",),
        "pretrain.": ("num_workers", "dataset.root", "dataset.store"),
    }.items()
    for key in keys
}
"""Paths and speed: folds may be trained on different machines, and the data are compared by hash."""


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys; lists stay whole."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found


def differing(one: Any, other: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Both values of each dotted key in which two nested mappings differ, in alphabetical order; None: not there."""
    before, after = flat(one, prefix), flat(other, prefix)
    pairs = {key: (before.get(key), after.get(key)) for key in sorted(before.keys() | after.keys())}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def same_recipe(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two configs differ in paths and speed at most."""
    return one == other or differing(one, other, "config").keys() <= PATHS_AND_SPEED


def without_places(config: dict[str, Any]) -> dict[str, Any]:
    """The dotted keys of a config (`config.train.lr`) without paths, speed and seed."""
    return {key: value for key, value in flat(config, "config").items() if key not in PATHS_AND_SPEED | {"config.seed"}}
