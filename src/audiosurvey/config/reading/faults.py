"""Faults with their position, in the order of the file, and the known word that a misspelt one resembles.

The printed form is fixed: `config.yaml:34: augmentation.noise.min_snr: unknown key; did you mean min_snr_db?`, and
`--set train.lrr: unknown key; did you mean lr?` for a value from the command line.
"""

import difflib
from collections.abc import Iterable, Sequence

from audiosurvey.config.reading.document import Document, Place
from audiosurvey.errors import Fault, UserError


def located(document: Document, place: Place, fault: Fault) -> str:
    """One fault as a line for the user."""
    if isinstance(place, int):
        where = f"{document.name}:{place}" if document.has_lines else document.name
        return f"{where}: {fault.dotted}: {fault.message}" if fault.path else f"{where}: {fault.message}"
    if fault.path and fault.dotted != place:
        return f"{document.override_word} {place}: {fault.dotted}: {fault.message}"
    return f"{document.override_word} {place}: {fault.message}"


def lines(document: Document, faults: Iterable[Fault]) -> tuple[str, ...]:
    """All faults, including the document's own, each once: by line, then those of `--set` as given."""
    placed = [*document.faults, *((document.place(fault.path), fault) for fault in faults)]

    def order(item: tuple[Place, Fault]) -> tuple[int, int]:
        place = item[0]
        return (0, place) if isinstance(place, int) else (1, document.overrides.index(place))

    return tuple(dict.fromkeys(located(document, *item) for item in sorted(placed, key=order)))


def refuse(document: Document, faults: Iterable[Fault]) -> None:
    """Raise all faults as one `UserError`; return if there is none."""
    found = lines(document, faults)
    if found:
        raise UserError(*found)


def nearest(word: object, known: Sequence[str]) -> str | None:
    """The known word that a misspelt one resembles (difflib), or that it begins; None when nothing is near."""
    if not isinstance(word, str) or not word:
        return None
    plain = {_plain(name): name for name in reversed(known)}
    asked = _plain(word)
    if found := difflib.get_close_matches(asked, list(plain), n=1, cutoff=0.6):
        return plain[found[0]]
    begins = [name for name in plain if min(len(name), len(asked)) >= 2 and _begins(name, asked)]
    return plain[min(begins, key=lambda name: abs(len(name) - len(asked)))] if begins else None


def did_you_mean(word: object, known: Sequence[str]) -> str:
    """`; did you mean bf16?`, or an empty string when no known word is near."""
    near = nearest(word, known)
    return f"; did you mean {near}?" if near is not None else ""


def _begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _plain(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")
