"""Names in one Unicode form (NFC): macOS lists file names with decomposed accents, other systems with composed ones.

Class names, clip ids, sources and column names pass through here before they are compared.
"""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")


def as_text(name: str) -> str:
    """A name on disk as valid text: bytes that are not UTF-8 become escapes, such as `\\xe9`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def composed(text: str) -> str:
    """A name as valid text with composed accents."""
    return unicodedata.normalize("NFC", as_text(text))


def composed_keys(values: Mapping[str, Value]) -> dict[str, Value]:
    """The mapping with composed accents in its keys."""
    return {composed(name): value for name, value in values.items()}


def clip_id(relative: Path) -> str:
    """A path below the root as a clip's id: forward slashes, composed accents."""
    return composed(relative.as_posix())


def stretch_mark(start_s: float | None, end_s: float | None) -> str:
    """What the id of a stretch has after that of its file: `#1.500-3.000`, "end" where the stretch has none.

    In milliseconds unless the times are finer.
    """

    def text(value: float) -> str:
        short = f"{value:.3f}"
        return short if float(short) == value else repr(value)

    if start_s is None and end_s is None:
        return ""
    return f"#{text(start_s or 0.0)}-{'end' if end_s is None else text(end_s)}"


def on_disk(path: Path) -> Path:
    """`path`, or if it does not exist, the same name with composed or decomposed accents, if that exists."""
    if not path.as_posix().isascii():
        for form in (None, "NFC", "NFD"):
            spelled = Path(unicodedata.normalize(form, str(path))) if form else path
            if spelled.exists():
                return spelled
    return path
