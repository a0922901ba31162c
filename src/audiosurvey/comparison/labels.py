"""Short names of models for plots, still different from each other."""

from collections.abc import Sequence


def shortened(names: Sequence[str], most: Sequence[int]) -> list[str]:
    """Names cut to `most` characters (at least 4), if they are longer.

    The parts that all names begin with go first, then the middle. Names that would become equal get their number in
    front.
    """
    shared = _shared_parts(names) if len(names) > 1 else 0
    found = [_short(name, shared, max(4, room)) for name, room in zip(names, most, strict=True)]
    return [
        label if found.count(label) == 1 else _numbered(number, label, max(4, room))
        for number, (label, room) in enumerate(zip(found, most, strict=True), start=1)
    ]


def _shared_parts(names: Sequence[str]) -> int:
    """Length of the parts, up to `=`, `_`, `-`, `/` or a space, that all names begin with."""
    found = 0
    for place, letters in enumerate(zip(*names, strict=False), start=1):
        if len(set(letters)) > 1:
            break
        if letters[0] in "=_-/ ":
            found = place
    return found


def _short(name: str, shared: int, most: int) -> str:
    if len(name) <= most:
        return name
    rest = f"…{name[shared:]}" if shared > 1 else name
    if len(rest) <= most:
        # As much of the beginning as there is room for.
        return name[: most - len(rest)] + rest
    head = (most - 1) // 2
    kept = rest.lstrip("…")
    return f"{kept[:head]}…{kept[len(kept) - (most - 1 - head) :]}"


def _numbered(number: int, label: str, most: int) -> str:
    return f"{number} {label}" if len(f"{number} {label}") <= most else f"{number}…"
