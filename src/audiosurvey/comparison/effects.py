"""Main effects of a sweep: how much each value of a swept key changes the score, everything else being equal."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiosurvey.comparison.benchmark import ComparedModel
from audiosurvey.comparison.stats.significance import FoldEstimate, corrected_t


@dataclass(frozen=True, slots=True)
class MainEffect:
    """The mean paired difference of one value of a key to its reference value."""

    key: str
    value: Any
    reference: Any
    pairs: int
    """Pairs of models that differ in this key alone."""
    difference: FoldEstimate


def main_effects(models: Sequence[ComparedModel]) -> list[MainEffect]:
    """Every value of every swept key against the first value of the key, in the order of numbers or names.

    The differences of all pairs of one survey that agree in everything else are averaged in each fold; the interval is
    that of the corrected t over the folds. A sweep over several configs has the key `config` too.
    """
    swept = [model for model in models if model.source.sweep]
    settings = [_settings(model) for model in swept]
    found: list[MainEffect] = []
    for key in dict.fromkeys(key for one in settings for key in one):
        values = _in_order({_text(one[key]): one[key] for one in settings if key in one})
        for value in values[1:]:
            if (effect := _effect(key, value, values[0], swept, settings)) is not None:
                found.append(effect)
    return found


def _effect(
    key: str, value: Any, reference: Any, models: Sequence[ComparedModel], settings: Sequence[dict[str, Any]]
) -> MainEffect | None:
    sides: dict[str, dict[str, ComparedModel]] = defaultdict(dict)
    for model, one in zip(models, settings, strict=True):
        if key in one:
            rest = _text({name: other for name, other in one.items() if name != key})
            # Configs of one name in two surveys need not be the same.
            rest = f"{model.source.folder} {rest}"
            sides[rest][_text(one[key])] = model
    pairs = [side for side in sides.values() if _text(value) in side and _text(reference) in side]
    if not pairs:
        return None
    differences = [side[_text(value)].fold_scores_J - side[_text(reference)].fold_scores_J for side in pairs]
    ratio = max(model.ratio for side in pairs for model in side.values())
    return MainEffect(key, value, reference, len(pairs), corrected_t(np.mean(differences, axis=0), ratio))


def _settings(model: ComparedModel) -> dict[str, Any]:
    config = model.source.config
    return dict(model.source.sweep) | ({} if config is None else {"config": config})


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _in_order(values: dict[str, Any]) -> list[Any]:
    numbers = all(isinstance(value, int | float) for value in values.values())
    return sorted(values.values(), key=(lambda value: value) if numbers else _text)
