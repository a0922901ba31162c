"""Fonts for text in any script: an installed font that has the letters, else the text in Latin letters."""

from collections.abc import Sequence
from functools import cache

from anyascii import anyascii
from matplotlib import font_manager

_LAST_RESORT = "Last Resort"
"""Matplotlib's font that has a box for every character."""


def families(text: str) -> list[str]:
    """The default font, and for characters that it lacks installed fonts that have them."""
    first, missing = _default(), _missing(text)
    if not missing:
        return [first]
    found = _fallbacks(missing)
    return [first, *dict.fromkeys(name for name in found.values() if name)]


def drawable(text: str) -> str:
    """`text` as fonts can draw it: words in a script that no installed font has in Latin letters, and bytes that are
    not valid UTF-8 as escapes.

    Figures do this to their own text; tick labels must be passed through this function first.
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    missing = _missing(text)
    lacking = {char for char, font in _fallbacks(missing).items() if font is None} if missing else set()
    if not lacking:
        return text
    words = text.split(" ")
    return " ".join(anyascii(word) or "?" if lacking & set(word) else word for word in words)


def drawable_names(names: Sequence[str]) -> list[str]:
    """Names as fonts can draw them; those that have become equal are numbered."""
    shown = [drawable(name) for name in names]
    if len(set(shown)) == len(set(names)):
        return shown
    return [
        f"{name} ({shown[: place + 1].count(name)})" if shown.count(name) > 1 else name
        for place, name in enumerate(shown)
    ]


def _missing(text: str) -> frozenset[str]:
    """The characters that the default font lacks; blanks and joiners are not drawn."""
    have = _letters(font_manager.findfont(font_manager.FontProperties()))
    return frozenset(char for char in text if ord(char) not in have and char.isprintable() and not char.isspace())


@cache
def _fallbacks(missing: frozenset[str]) -> dict[str, str | None]:
    """An installed font for each of these characters; None where none has it."""
    found: dict[str, str | None] = dict.fromkeys(missing)
    left = set(missing)
    for name, path in _installed():
        if not left:
            break
        have = {char for char in left if ord(char) in _letters(path)}
        found |= dict.fromkeys(have, name)
        left -= have
    return found


@cache
def _letters(path: str) -> frozenset[int]:
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError):
        # A font that FreeType cannot read.
        return frozenset()


@cache
def _installed() -> list[tuple[str, str]]:
    """Family and file of the installed fonts: upright ones, those without serifs first."""
    entries = [entry for entry in font_manager.fontManager.ttflist if not entry.name.startswith(_LAST_RESORT)]
    upright = [entry for entry in entries if entry.style == "normal"]
    return [(entry.name, entry.fname) for entry in sorted(upright, key=_order)]


def _order(entry: font_manager.FontEntry) -> tuple[bool, bool, str]:
    return "sans" not in entry.name.lower(), entry.weight not in (400, "normal", "regular", "book"), entry.name


@cache
def _default() -> str:
    return font_manager.get_font(font_manager.findfont(font_manager.FontProperties())).family_name
