"""Results of stages, kept in a JSON file, so that stages measured at different times make one page."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rounds import Row


@dataclass(frozen=True)
class Section:
    """The results of one stage."""

    text: str
    """What was measured, from the docstring of the stage."""
    when: str
    """Date and machine."""
    rows: list[Row]


def load(path: Path) -> dict[str, Section]:
    stages = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {
        name: Section(stage["text"], stage["when"], [Row(**row) for row in stage["rows"]])
        for name, stage in stages.items()
    }


def save(path: Path, sections: dict[str, Section]) -> None:
    stages = {name: asdict(section) for name, section in sections.items()}
    path.write_text(json.dumps(stages, indent=1) + "\n", encoding="utf-8")


def lines(name: str, section: Section) -> list[str]:
    """A section of the page, in Markdown."""
    return [f"## {title(name)}", "", section.text, "", *table(section.rows), "", f"Measured {section.when}.", ""]


def title(name: str) -> str:
    return name.replace("_", "-").capitalize()


def table(rows: list[Row]) -> list[str]:
    """Rows as Markdown: measured values alone, or compared with others; columns without any value are left out."""
    if not any(row.peer for row in rows):
        return ["| what | value |", "|---|---|", *(f"| {row.what} | {row.ours} |" for row in rows)]
    columns = {
        "what": [row.what for row in rows],
        "ours": [row.ours for row in rows],
        "compared with": [row.peer for row in rows],
        "takes": [row.other for row in rows],
        "ratio (range)": [row.ratio_text for row in rows],
        "beside a busy process": [row.beside_busy for row in rows],
        "memory, ours / theirs": [row.memory_text for row in rows],
    }
    used = {head: cells for head, cells in columns.items() if any(cells)}
    body = zip(*used.values(), strict=True)
    return [f"| {' | '.join(used)} |", "|" + "---|" * len(used), *(f"| {' | '.join(cells)} |" for cells in body)]
