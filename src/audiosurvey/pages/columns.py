"""Columns of a table, on a page or on the terminal: those that tell rows apart are shown, the others are left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "text", "number", "verdict"]
_NOTHING = ("-", "")


@dataclass(frozen=True)
class Column:
    """One column; the same cells on a page and on the terminal."""

    title: str
    cells: tuple[str, ...]
    kind: Kind = "number"
    said_once: bool = False
    """If all cells are equal, they are said once below the table."""

    @property
    def empty(self) -> bool:
        return all(cell in _NOTHING for cell in self.cells)

    @property
    def constant(self) -> bool:
        return self.said_once and len(self.cells) > 1 and len(set(self.cells)) == 1


def shown_columns(columns: Sequence[Column]) -> list[Column]:
    """Without columns that have nothing in any cell, and those that are said once."""
    return [column for column in columns if column.kind == "name" or not (column.empty or column.constant)]


def same_line(columns: Sequence[Column]) -> str | None:
    """`the same for all: seeds 1, selection last`; None if no column is said once."""
    same = [f"{column.title} {column.cells[0]}" for column in columns if column.constant and not column.empty]
    return f"the same for all: {', '.join(same)}" if same else None
