"""Resolved configs that an earlier version wrote, in settings that mean the same today.

A resolved config holds every key of the version that wrote it. One without `augmentation.shorten` is older than that
operation. At that time `compression: db` was 10 log10 of a mel band at every `power`; today it is 20 log10 of the
magnitude, which differs wherever `power` is not 2.
"""

from collections.abc import Mapping
from typing import Any

_DB_KEYS = {"floor_db": -100.0, "shift": 0.0, "divide": 1.0}
"""Keys of `mel_spectrogram` on the scale of the decibels, with their defaults."""


def is_earlier(config: Mapping[str, Any]) -> bool:
    """Whether a resolved config, as plain data, is older than `augmentation.shorten`."""
    augmentation = config.get("augmentation")
    return isinstance(augmentation, Mapping) and "shorten" not in augmentation


def earlier_mel(mel: Mapping[str, Any]) -> dict[str, Any]:
    """A section `mel_spectrogram` from then, with the settings that give the same values now.

    The decibels are 2 / power times as many now, so floor, shift and divisor are too. Values that are not numbers stay
    as they are, for the check of the config to refuse.
    """
    power = mel.get("power", 2.0)
    if mel.get("compression") != "db" or not _is_number(power) or power <= 0 or power == 2:
        return dict(mel)
    given = {key: mel.get(key, default) for key, default in _DB_KEYS.items()}
    scaled = {key: value * (2 / power) if _is_number(value) else value for key, value in given.items()}
    return {**mel, **scaled}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
