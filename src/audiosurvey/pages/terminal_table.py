"""Tables that fit the width of the terminal: headings and cells wrap between words, and names stay whole.

A name breaks only if it is longer than 32 characters, or if nothing else can give way; then after `-`, `_` or `/`, or
after 32 characters without them.
Words of a text break if they are as long, such as paths, or if the table would be too wide otherwise.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from audiosurvey.pages.columns import Column, shown_columns

LONGEST = 32
_NARROW = 12
"""A name or text that has to give way keeps this width."""
_PIECE = re.compile(rf".{{1,{LONGEST}}}?(?:(?<!\de)[-_/ ]|$)|.{{{LONGEST}}}")
"""Up to a place where a name may break; not within 1e-05."""


@dataclass(frozen=True)
class FittedTable:
    """Columns as a table for rich; those that say nothing are left out.

    Cells may have several lines, except names.
    """

    columns: Sequence[Column]
    styles: Mapping[str, str] = field(default_factory=dict)
    """Of lines of text, such as verdicts."""
    totals: int = 0
    """So many rows at the end are set off from the others."""
    spaced: bool = False
    """With an empty line between rows."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = shown_columns(self.columns)
        between = max(0, len(shown) - 1)
        roomy = sum(map(_narrow_heading, shown)) + 2 * between <= options.max_width
        widths = fitted(shown, options.max_width - between * (2 if roomy else 1))
        table = Table(
            box=SIMPLE_HEAD, padding=(0, int(roomy), 0, 0), pad_edge=False, show_edge=False, show_lines=self.spaced
        )
        for column, width in zip(shown, widths, strict=True):
            justify = "right" if column.kind == "number" else "left"
            table.add_column(Text(column.title), justify=justify, width=width, overflow="fold")
        rows = list(zip(*(column.cells for column in shown), strict=True))
        for number, cells in enumerate(rows, start=1):
            above_totals = number == len(rows) - self.totals
            table.add_row(
                *(self._cell(*one) for one in zip(shown, cells, widths, strict=True)), end_section=above_totals
            )
        yield Text()
        yield table
        yield Text()

    def _cell(self, column: Column, cell: str, width: int) -> Text:
        if column.kind == "name":
            return Text("\n".join(broken(cell, width)))
        if column.kind == "number":
            return Text(cell)
        return Text("\n").join(Text(line, self.styles.get(line, "")) for line in cell.split("\n"))


def fitted(columns: Sequence[Column], available: int) -> list[int]:
    """A width for each column, `available` in all if that is possible without breaking words."""
    widths = [max(cell_len(column.title), _natural(column)) for column in columns]
    for narrowest in (_narrow_heading, _narrow_cells, _narrow_name, _narrow_text):
        _reduce(widths, [narrowest(column) for column in columns], available)
    return widths


def broken(name: str, width: int) -> list[str]:
    """The lines of a name in a column of this width."""
    lines = [""]
    for piece in _PIECE.findall(name):
        if lines[-1] and cell_len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return lines


def _natural(column: Column) -> int:
    if column.kind == "name":
        return max((cell_len(line) for cell in column.cells for line in broken(cell, LONGEST)), default=0)
    return max((cell_len(line) for cell in column.cells for line in cell.split("\n")), default=0)


def _narrow_heading(column: Column) -> int:
    return max(_word([column.title]), _natural(column))


def _narrow_cells(column: Column) -> int:
    if column.kind == "name":
        return _narrow_heading(column)
    word = _word([column.title, *column.cells])
    return min(word, LONGEST) if column.kind == "text" else word


def _narrow_name(column: Column) -> int:
    if column.kind != "name":
        return _narrow_cells(column)
    pieces = [piece for cell in column.cells for piece in _PIECE.findall(cell)]
    return max(_word([column.title]), min(_natural(column), _NARROW), *map(cell_len, pieces))


def _narrow_text(column: Column) -> int:
    return min(_narrow_name(column), _NARROW) if column.kind == "text" else _narrow_name(column)


def _word(texts: Sequence[str]) -> int:
    """The longest word."""
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def _reduce(widths: list[int], narrowest: Sequence[int], available: int) -> None:
    """Takes from the column that has most to give, until the columns fit or none has."""

    def spare(index: int) -> int:
        return widths[index] - narrowest[index]

    while sum(widths) > available and spare(most := max(range(len(widths)), key=spare)) > 0:
        widths[most] -= 1
