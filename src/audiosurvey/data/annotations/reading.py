"""Recordings with their events, from one table or from a folder with a table beside each recording."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from audiosurvey.data.annotations.annotation import AnnotatedRecording, Annotation
from audiosurvey.data.annotations.table_rows import read_table
from audiosurvey.data.names import on_disk
from audiosurvey.errors import UserError, some_of

TABLES = (".csv", ".tsv", ".txt")
_SHOWN = 3


def read_annotations(path: Path, sounds_below: Callable[[Path], Iterable[Path]]) -> list[AnnotatedRecording]:
    """The recordings of a table, or of a folder. `sounds_below`: lists the sound files below a folder.

    A table names its recordings, relative to its own folder, in a column; one without it belongs to the recording of
    the same name beside it. In a folder, the table of `a.wav` is `a.csv`, `a.txt` or, from Raven,
    `a.Table.1.selections.txt`; recordings without a table are left out, and a table without rows means that nothing was
    heard. If no recording has one, the only table in the folder is read, which then names its recordings.

    Raises UserError for a table that cannot be read, a recording that is missing, and a folder without tables.
    """
    if not path.exists():
        raise UserError(f"{path.as_posix()}: no such file or folder; expected a table of events, or a folder with them")
    return _in_folder(path, list(sounds_below(path))) if path.is_dir() else _in_table(path, sounds_below)


def _in_table(table: Path, sounds_below: Callable[[Path], Iterable[Path]]) -> list[AnnotatedRecording]:
    events: dict[Path, list[Annotation]] = defaultdict(list)
    own: Path | None = None
    missing: list[str] = []
    sounds = cache(lambda: list(sounds_below(table.parent)))
    named = cache(lambda name: _named(name, table.parent, sounds))
    for name, event in read_table(table):
        if name is None:
            own = own or _beside(table, sounds())
        recording = own if name is None else named(name)
        assert recording is not None, "it is named or beside the table"
        if not recording.is_file():
            missing.append(recording.as_posix())
        events[recording] += [] if event is None else [event]
    if missing:
        raise UserError(f"{table.as_posix()}: no such recording: {some_of(list(dict.fromkeys(missing)), _SHOWN)}")
    return [_recording(path, found) for path, found in sorted(events.items())]


def _named(name: str, folder: Path, sounds: Callable[[], list[Path]]) -> Path:
    """The recording of this name, relative to `folder`; one that was moved, or is named as on another machine, is
    found by the name of its file, if there is one of that name below `folder`."""
    place = on_disk(Path(os.path.normpath(folder / name.replace("\\", "/"))))
    if place.is_file():
        return place
    moved = [sound for sound in sounds() if sound.name == place.name]
    return moved[0] if len(moved) == 1 else place


def _beside(table: Path, sounds: Sequence[Path]) -> Path:
    found = [sound for sound in sounds if sound.parent == table.parent and _is_table_of(table, sound)]
    if not found:
        raise UserError(
            f"{table.as_posix()}: names no recordings, and none of the same name is next to it; add a column path"
        )
    return max(found, key=lambda sound: len(sound.stem))


def _in_folder(folder: Path, sounds: Sequence[Path]) -> list[AnnotatedRecording]:
    tables: dict[Path, Path] = {}
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for sound in sounds:
        by_folder[sound.parent].append(sound)
    for parent, inside in by_folder.items():
        for table in sorted(parent.iterdir()):
            # Of a.wav and a.b.wav, the second has the table a.b.csv.
            own = [sound for sound in inside if table.suffix.lower() in TABLES and _is_table_of(table, sound)]
            for sound in sorted(own, key=lambda sound: -len(sound.stem))[:1]:
                if sound in tables:
                    raise UserError(f"{sound.as_posix()}: has two tables, {tables[sound].name} and {table.name}")
                tables[sound] = table
    if not tables:
        alone = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TABLES and path.is_file()]
        if len(alone) == 1:
            return _in_table(alone[0], lambda _: sounds)
        raise UserError(
            f"{folder.as_posix()}: no recording with a table of events beside it, such as a.wav with a.csv or a.txt"
        )
    return [_recording(sound, _events(sound, table)) for sound, table in sorted(tables.items())]


def _is_table_of(table: Path, sound: Path) -> bool:
    return table != sound and table.name.startswith(f"{sound.stem}.")


def _events(sound: Path, table: Path) -> list[Annotation]:
    if table.suffix.lower() == ".txt" and not table.read_bytes().strip():
        return []
    return [event for name, event in read_table(table) if event is not None and _names(name, sound)]


def _names(name: str | None, sound: Path) -> bool:
    return name is None or Path(name.replace("\\", "/")).name == sound.name


def _recording(path: Path, events: Iterable[Annotation]) -> AnnotatedRecording:
    return AnnotatedRecording(path, tuple(sorted(events, key=lambda event: (event.start_s, event.end_s, event.label))))
