"""Sound files that are in the table but do not exist: a note on them, or an error with a guess where they may be."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS
from audiosurvey.data.sets.folder import sound_files
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError
from audiosurvey.plainfile import not_plain

_SHOWN = 3
_MOST_LISTED = 10_000


def look_for_files(table: Table, how_to_get: str | None) -> Table:
    """The table, with a note where files are missing.

    `how_to_get`: what to do for a built-in data set; None for the user's own data. Raises UserError where all files
    are missing.
    """
    paths = dict.fromkeys(clip.path for clip in table.clips)
    missing = [path for path in paths if not path.is_file() and not_plain(path) is None]
    if not missing:
        return table
    if len(missing) == len(paths):
        mend = how_to_get or next(_guesses(table.root, missing[0]), "paths are relative to dataset.root")
        others = f", nor any other of the {len(paths)} files in the table" if len(paths) > 1 else ""
        raise UserError(f"{missing[0].as_posix()}: not found{others}; {mend}")
    shown = ", ".join(path.as_posix() for path in missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
    note = f"{len(missing)} of {len(paths)} sound files do not exist: {shown}"
    return replace(table, official=False, notes=(*table.notes, note))


def _guesses(root: Path, missing: Path) -> Iterator[str]:
    """Where a file that does not exist may be."""
    if not missing.is_relative_to(root):
        return
    relative = missing.relative_to(root)
    if relative.is_file():
        yield "the paths are relative to the working directory; set dataset.root: ."
    if (root.parent / relative).is_file():
        yield f"the paths are relative to {root.parent.as_posix()}; set dataset.root to it"
    for extension in sorted(AUDIO_EXTENSIONS, key=lambda name: (name != ".wav", name)):
        if (there := missing.with_name(missing.name + extension)).is_file():
            yield f"{there.as_posix()} exists; write the paths with their extension"
    if not root.is_dir():
        return
    for there in islice(sound_files(root), _MOST_LISTED):
        if there.name == missing.name and there.parts[-len(relative.parts) :] == relative.parts:
            base = Path(*there.parts[: -len(relative.parts)])
            yield f"{there.as_posix()} exists; set dataset.root: {base.as_posix()}"
