"""Configs as they are stored, compared: what belongs to the recipe, and what says only where and how fast it was
trained."""

from typing import Any

PATHS_AND_SPEED = {
    f"config.{stage}{key}"
    for stage, keys in {
        "": ("tracking",),
        "dataset.": ("root", "store"),
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


def same_recipe(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two configs differ in paths and speed at most."""
    if one == other:
        return True
    before, after = flat(one, "config"), flat(other, "config")
    keys = (before.keys() | after.keys()) - PATHS_AND_SPEED
    return all(before.get(key) == after.get(key) for key in keys)
