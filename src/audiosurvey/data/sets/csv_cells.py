"""What a cell of a table may hold: labels, folds, sides of a split, and the marks that stand for a missing value."""

import re
from collections.abc import Collection

from audiosurvey.data.names import composed
from audiosurvey.data.sets.csv_rows import whole_number
from audiosurvey.data.table import Side

MISSING = frozenset({"nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "<NA>", "None", "NULL", "Null", "null"})
"""What data-frame libraries, spreadsheets and databases write for a missing value."""

SIDES: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_FOLD = re.compile(r"fold[\s_-]*(?=\d)", re.IGNORECASE)


def split_labels(cell: str, separator: str, named: Collection[str]) -> tuple[tuple[str, ...], str | None]:
    """The class names in a cell, each once, and the missing-value mark that stands among them, if one does.

    A mark that the config names as a class (`named`) is one.
    """
    parts = dict.fromkeys(composed(part.strip()) for part in cell.split(separator) if part.strip())
    marks = [part for part in parts if part in MISSING and part not in named]
    return tuple(part for part in parts if part not in marks), marks[0] if marks else None


def fold_number(cell: str) -> int | None:
    """The number in `3`, `3.0` or `fold3`; None for anything else."""
    return whole_number(_FOLD.sub("", cell, count=1) if _FOLD.match(cell) else cell)
