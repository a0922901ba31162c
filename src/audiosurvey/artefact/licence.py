"""Licences: what a model may be used for follows from all that it was made from."""

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
    "MIT": "mit",
}
"""As we write a licence: the identifier that the Hugging Face Hub knows it by."""


def hub_id(licence: str | None) -> str:
    """`CC BY-NC 3.0 (non-commercial)` is `cc-by-nc-3.0`; `unknown` where none is stated, `other` for one of others."""
    if licence is None or licence == NOT_STATED:
        return "unknown"
    words = licence.split(" (")[0].upper()
    return next((known for ours, known in _HUB.items() if ours.upper() == words), "other")


def non_commercial(licence: str | None) -> bool:
    return licence is not None and "-NC" in licence.upper().replace("NON-COMMERCIAL", "-NC")


def strictest(licences: Mapping[str, str | None]) -> str:
    """The licence of what is made from all of these; by name of the part.

    A non-commercial one binds the whole; then nothing is known where one is not stated; then one with conditions.
    """

    def rank(licence: str | None) -> int:
        if non_commercial(licence):
            return 3
        if licence in (None, NOT_STATED):
            return 2
        return 0 if licence in ("CC0", "MIT") else 1

    return max(licences.values(), key=rank, default=None) or NOT_STATED
