"""What a model card says of exported files: a section of its own, a part a file, written anew with each export."""

from pathlib import Path

from audiosurvey.atomic import write_text

_SECTION = "## Exports"
_INTRO = (
    "Made by `audiosurvey export`. Waves in, scores out; labels, sample rate and window stand in the files. "
    "Differences are those from this model's own scores; times are of one processor core."
)


def add_export(card: Path, name: str, lines: list[str]) -> None:
    """Puts the lines on the file `name` into the card's section on exports, in place of what stood there of it."""
    before, parts, after = _split(card.read_text(encoding="utf-8"))
    parts[name] = "\n".join(lines).strip()
    section = [_SECTION, _INTRO, *(f"### {title}\n\n{parts[title]}" for title in sorted(parts))]
    blocks = [before.strip(), *section, *([after.strip()] if after.strip() else [])]
    write_text(card, "\n\n".join(blocks) + "\n")


def _split(text: str) -> tuple[str, dict[str, str], str]:
    """What stands before the section, its parts by their titles, what stands behind it."""
    before, found, rest = text.partition(f"\n{_SECTION}\n")
    if not found:
        return text, {}, ""
    section, other, after = rest.partition("\n## ")
    parts = section.split("\n### ")[1:]
    titled = dict(part.split("\n", 1) for part in parts)
    return before, {title: body.strip() for title, body in titled.items()}, f"## {after}" if other else ""
