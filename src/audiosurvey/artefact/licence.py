"""Licences: the licence of a model follows from those of its sources."""

from collections.abc import Mapping

NOT_STATED = "not stated"

_HUB = {
    "CC0": "cc0-1.0",
    "CC BY 2.0": "cc-by-2.0",
    "CC BY 2.5": "cc-by-2.5",
    "CC BY 3.0": "cc-by-3.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-SA 3.0": "cc-by-sa-3.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "CC BY-NC 2.0": "cc-by-nc-2.0",
    "CC BY-NC 3.0": "cc-by-nc-3.0",
    "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
}
"""Our name of a licence: its identifier on the Hugging Face Hub."""


def hub_id(licence: str | None) -> str:
    """`CC BY-NC 3.0 (non-commercial)` is `cc-by-nc-3.0`; `unknown` if none is stated, `other` for any other."""
    if licence is None or licence == NOT_STATED:
        return "unknown"
    words = licence.split(" (")[0].upper()
    return next((known for ours, known in _HUB.items() if ours.upper() == words), "other")


def non_commercial(licence: str | None) -> bool:
    return licence is not None and "-NC" in licence.upper().replace("NON-COMMERCIAL", "-NC")


def strictest(licences: Mapping[str, str | None]) -> str:
    """The licence of a work made from parts with these licences.

    In this order: non-commercial, not stated, with conditions, free.
    """

    def rank(licence: str | None) -> int:
        if non_commercial(licence):
            return 3
        if licence in (None, NOT_STATED):
            return 2
        return 0 if licence in ("CC0", "MIT") else 1

    return max(licences.values(), key=rank, default=None) or NOT_STATED
