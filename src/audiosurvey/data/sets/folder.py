"""A folder of class folders: `sounds/dog/bark.wav` and `sounds/dog/park/bark.flac` are clips of class `dog`."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS, OTHER_EXTENSIONS
from audiosurvey.data.csv_rows import number
from audiosurvey.data.names import as_text, clip_id, composed
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError

_SPLIT_NAMES = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing"})


def read_folder(root: Path, source_pattern: str | None = None) -> Table:
    """The table of a folder of class folders. No file is opened.

    `source_pattern`: a regular expression searched in each file's name; its first group (the whole match where it has
    none) is the source recording. Raises UserError where there are no class folders with audio files in them.
    """
    place = root.as_posix()
    if not root.is_dir():
        reason = "is a file; expected a folder with one folder per class" if root.exists() else "not found"
        raise UserError(f"{place}: {reason}; set dataset.root")
    by_class: dict[str, list[Path]] = {}
    loose, other, empty = 0, Counter[str](), []
    for entry in sorted(root.iterdir()):
        if is_hidden(entry.name):
            continue
        if not entry.is_dir():
            loose += entry.suffix.lower() in AUDIO_EXTENSIONS
            continue
        files = list(_files(entry))
        other.update(file.suffix.lower() for file in files if file.suffix.lower() in OTHER_EXTENSIONS)
        if audio := [file for file in files if file.suffix.lower() in AUDIO_EXTENSIONS]:
            # Two folders whose names differ only in the Unicode form of their accents are one class.
            by_class.setdefault(composed(entry.name), []).extend(audio)
        else:
            empty.append(entry.name)
    formats = ", ".join(sorted(other))
    if not by_class:
        fault = "no audio files found; expected one folder per class"
        if loose:
            fault = f"{loose} audio files but no class folders; expected one folder per class"
        elif other:
            fault = f"only {formats} files, which cannot be read; convert them to wav or flac"
        raise UserError(f"{place}: {fault}")
    _refuse_split_folders(root, by_class)

    classes = class_order(by_class)
    clips = [
        Clip(id=clip_id(file.relative_to(root)), path=file, labels=(label,))
        for label, name in enumerate(classes)
        for file in by_class[name]
    ]
    refuse_equal_ids(clips)
    notes: list[str] = []
    if odd := [clip.id for clip in clips if as_text(str(clip.path)) != str(clip.path)]:
        notes.append(f"{len(odd)} file names are not valid UTF-8, such as {odd[0]}: their bytes are written as escapes")
    if loose:
        notes.append(f"{loose} audio files directly in {place} belong to no class folder and are left out")
    if empty:
        notes.append(f"folders without audio files are not classes: {', '.join(empty)}")
    if other:
        notes.append(f"{other.total()} files of formats that cannot be read ({formats}) are left out")
    if source_pattern is not None:
        clips = [replace(clip, source=_source(clip, source_pattern)) for clip in clips]
        if unmatched := sum(clip.source is None for clip in clips):
            notes.append(f"{unmatched} file names do not match dataset.source_pattern: each is its own source")
        if unmatched == len(clips):
            raise UserError(f"dataset.source_pattern: no file name matches; the first is {clips[0].path.name}")
    clips.sort(key=lambda clip: clip.id)
    return Table(name="folder", root=root, classes=classes, clips=tuple(clips), notes=tuple(notes))


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorted class names; by value where all are numbers, so that 10 comes after 9."""
    values = {name: number(name) for name in names}
    if all(value is not None for value in values.values()):
        return tuple(sorted(values, key=lambda name: (values[name] or 0.0, name)))
    return tuple(sorted(values))


def refuse_equal_ids(clips: Iterable[Clip]) -> None:
    """Raises UserError where two files have one id, since ids are normalised to composed accents and valid text."""
    twice = [name for name, count in Counter(clip.id for clip in clips).items() if count > 1]
    if twice:
        why = "they differ in the Unicode form of accents, or in bytes that are not UTF-8"
        raise UserError(f"{twice[0]}: two files of this name ({why}); rename one")


def sound_files(folder: Path) -> Iterator[Path]:
    """The files below `folder` with the extension of a sound, in the order of their paths."""
    return (file for file in _files(folder) if file.suffix.lower() in AUDIO_EXTENSIONS)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is skipped."""
    # Zip archives made on a Mac leave shadows of the real files in __MACOSX.
    return name.startswith(".") or name == "__MACOSX"


def _files(folder: Path) -> Iterator[Path]:
    """All files below `folder`, in the order of their paths; links to folders are followed, each folder once."""
    visited: set[Path] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = Path(place).resolve()
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (Path(place, name) for name in sorted(files) if not is_hidden(name))


def _source(clip: Clip, pattern: str) -> str | None:
    match = re.search(pattern, composed(clip.path.name))
    return None if match is None else match.group(1 if match.re.groups else 0)


def _refuse_split_folders(root: Path, by_class: dict[str, list[Path]]) -> None:
    """train/ and test/ with the classes inside would be learnt as two classes."""
    if len(by_class) < 2 or not all(name.lower() in _SPLIT_NAMES for name in by_class):
        return
    names = " and ".join(f"{name}/" for name in sorted(by_class))
    mend = "use `name: csv` with a split column, or set dataset.root to one of them"
    raise UserError(f"{root.as_posix()}: {names} look like the sides of a split, not like classes; {mend}")


def deeper_classes(table: Table) -> Path | None:
    """The only class folder, where all its sounds are in several folders of its own: those may be the classes."""
    inner = {clip.path.relative_to(table.root).parts[1:-1] for clip in table.clips}
    if table.classes and all(inner) and len({parts[0] for parts in inner}) > 1:
        return table.root / table.clips[0].path.relative_to(table.root).parts[0]
    return None
