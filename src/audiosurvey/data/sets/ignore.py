"""The ignore list: clips that take part in nothing, each with the reason.

A text file with a line a clip: its id, a tab, the reason. `audiosurvey doctor --quarantine` writes one,
`dataset.ignore` names one. Enters: the file and a table; leaves: the table without those clips.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from audiosurvey.atomic import write_text
from audiosurvey.data.names import composed
from audiosurvey.data.table import Ignored, Table
from audiosurvey.errors import UserError
from audiosurvey.plainfile import not_plain

_HEAD = """\
# Clips to leave out: the id, a tab, the reason. Take a line out to keep the clip; add lines of your own.
# In the config: dataset.ignore: {name}
"""


def read_ignore(path: Path) -> dict[str, str]:
    """Reason by clip id. Lines that are blank or begin with `# ` say nothing.

    Errors: `UserError` for a file that cannot be read as text, or with a line that has no id.
    """
    place = path.as_posix()
    if fault := not_plain(path):
        raise UserError(f"{place}: {fault}; set dataset.ignore")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{place}: not UTF-8 text (byte {error.start}); expected a clip id and a reason a line"
        ) from None
    except OSError as error:
        raise UserError(f"{place}: cannot be read ({error.strerror}); set dataset.ignore") from None
    reasons: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("# ") or line == "#":
            continue
        clip_id, _, reason = line.partition("\t")
        if not clip_id.strip():
            faults.append(f"{place}:{number}: no clip id before the tab")
        reasons.setdefault(composed(clip_id.strip()), reason.strip() or "no reason given")
    if faults:
        raise UserError(*faults)
    return reasons


def write_ignore(path: Path, reasons: Mapping[str, str]) -> None:
    """Writes the list, whole or not at all. Raises ValueError for an id that a line cannot hold (see `fits`)."""
    if not all(map(fits, reasons)):
        raise ValueError("an id with a tab or a line break in it")
    lines = [f"{clip_id}\t{' '.join(reason.split())}" for clip_id, reason in reasons.items()]
    write_text(path, _HEAD.format(name=path.as_posix()) + "".join(f"{line}\n" for line in lines))


def fits(clip_id: str) -> bool:
    """Whether a line of the list can hold this id: no tab, no line break, no blanks at its ends, no `# ` before it."""
    return clip_id == clip_id.strip() and "\t" not in clip_id and len(clip_id.splitlines()) == 1 and clip_id[:2] != "# "


def without_ignored(table: Table, path: Path, used: Collection[str]) -> Table:
    """The table without the clips that the list names; it is not the official one then.

    Errors: `UserError` where the list leaves one of the classes `used` without clips, or names none of the clips.
    """
    reasons = read_ignore(path)
    ignored = tuple(Ignored(clip.id, reasons[clip.id]) for clip in table.clips if clip.id in reasons)
    place = path.as_posix()
    if reasons and not ignored:
        first = next(iter(reasons))
        example = f", which look like '{table.clips[0].id}'" if table.clips else ""
        raise UserError(f"{place}: '{first}' is no clip of this data set, nor is any other line; expected ids{example}")
    if not ignored:
        return table
    kept = tuple(clip for clip in table.clips if clip.id not in reasons)
    lost = {label for clip in table.clips for label in clip.labels} - {label for clip in kept for label in clip.labels}
    gone = [table.classes[label] for label in sorted(lost) if table.classes[label] in used]
    if gone:
        mend = "take some of its lines out, or name the class in dataset.exclude_classes"
        raise UserError(*(f"{place}: leaves class '{name}' without clips; {mend}" for name in gone))
    unknown = len(reasons) - len(ignored)
    note = f"{len(ignored)} clip{'s' if len(ignored) > 1 else ''} left out by {place}"
    note += f", {unknown} of whose lines name no clip of this data set" if unknown else ""
    return replace(table, clips=kept, ignored=ignored, official=False, notes=(*table.notes, note))
