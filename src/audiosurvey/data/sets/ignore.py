"""The ignore list of `dataset.ignore`: a text file with a line per clip: its id, a tab, the reason."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from audiosurvey.atomic import write_text
from audiosurvey.data.names import composed
from audiosurvey.data.table import Ignored, Table
from audiosurvey.errors import UserError
from audiosurvey.plainfile import not_plain

_HEAD = """\
# Clips to leave out: the id, a tab, the reason. Remove a line to keep the clip; add lines of your own.
# In the config: dataset.ignore: {name}
"""


def read_ignore(path: Path) -> dict[str, str]:
    """Reason by clip id. Blank lines, and lines that begin with `# `, are skipped.

    Raises UserError for a file that cannot be read as text, or with a line without an id.
    """
    place = path.as_posix()
    if fault := not_plain(path):
        raise UserError(f"{place}: {fault}; set dataset.ignore")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        mend = "expected a clip id and a reason on each line"
        raise UserError(f"{place}: not UTF-8 text (byte {error.start}); {mend}") from None
    except OSError as error:
        raise UserError(f"{place}: cannot be read ({error.strerror}); set dataset.ignore") from None
    entries = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and f"{line} "[:2] != "# "]
    if faults := [number for number, line in entries if not line.partition("\t")[0].strip()]:
        raise UserError(*(f"{place}:{number}: no clip id before the tab" for number in faults))
    reasons: dict[str, str] = {}
    for _, line in entries:
        clip_id, _, reason = line.partition("\t")
        reasons.setdefault(composed(clip_id.strip()), reason.strip() or "no reason given")
    return reasons


def write_ignore(path: Path, reasons: Mapping[str, str]) -> None:
    """Writes the list atomically. Raises ValueError for an id that a line cannot hold (see `fits`)."""
    if not all(map(fits, reasons)):
        raise ValueError("an id with a tab or a line break in it")
    lines = [f"{clip_id}\t{' '.join(reason.split())}" for clip_id, reason in reasons.items()]
    write_text(path, _HEAD.format(name=path.as_posix()) + "".join(f"{line}\n" for line in lines))


def fits(clip_id: str) -> bool:
    """Whether a line of the list can hold this id: no tab, no line break, no blanks at its ends, no leading `# `."""
    return clip_id == clip_id.strip() and "\t" not in clip_id and len(clip_id.splitlines()) == 1 and clip_id[:2] != "# "


def without_ignored(table: Table, path: Path, used: Collection[str]) -> Table:
    """The table without the clips in the list; it is no longer official.

    Raises UserError where the list leaves one of the classes `used` without clips, or names none of the clips.
    """
    reasons, place = read_ignore(path), path.as_posix()
    ignored = tuple(Ignored(clip.id, reasons[clip.id]) for clip in table.clips if clip.id in reasons)
    if reasons and not ignored:
        example = f", which have the form '{table.clips[0].id}'" if table.clips else ""
        mend = f"is not a clip of this data set, and neither is any other line; expected ids{example}"
        raise UserError(f"{place}: '{next(iter(reasons))}' {mend}")
    if not ignored:
        return table
    kept = tuple(clip for clip in table.clips if clip.id not in reasons)
    lost = {label for clip in table.clips for label in clip.labels} - {label for clip in kept for label in clip.labels}
    if gone := [table.classes[label] for label in sorted(lost) if table.classes[label] in used]:
        mend = "remove some of its lines, or name the class in dataset.exclude_classes"
        raise UserError(*(f"{place}: leaves class '{name}' without clips; {mend}" for name in gone))
    unknown = len(reasons) - len(ignored)
    note = f"{len(ignored)} clip{'s' if len(ignored) > 1 else ''} left out by {place}"
    note += f", {unknown} of whose lines name no clip of this data set" if unknown else ""
    return replace(table, clips=kept, ignored=ignored, official=False, notes=(*table.notes, note))
