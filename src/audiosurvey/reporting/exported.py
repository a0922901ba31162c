"""An exported file on the terminal: its size and speed, and how its scores differ from those of the model."""

from rich.console import Console

from audiosurvey.exporting.result import ExportResult, shown_difference
from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable


def print_export(outcome: ExportResult, console: Console) -> None:
    """A line for each fact, then the largest difference of scores by batch size and length of the sound."""
    for line in outcome.facts():
        console.print(line, soft_wrap=True, markup=False)
    lengths, rows = outcome.differences()
    if not rows:
        return
    columns = [Column("batch", tuple(map(str, rows)), "text")]
    for place, seconds in enumerate(lengths):
        columns.append(Column(f"{seconds:g} s", tuple(shown_difference(row[place]) for row in rows.values())))
    console.print(FittedTable(columns))
