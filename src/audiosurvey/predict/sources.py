"""Where the sounds of a prediction come from: what stands on the command line, as a list of sound files.

A folder stands for every sound file below it, a pattern (`"*.wav"`, `"**/*.flac"`) for what it matches, each file once.
What looks like a sound and is none is listed too, so that it is named and not passed over in silence.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio, Mono, probe, resampled_length
from audiosurvey.data.audio.sound_file import Stamp, stamp_of
from audiosurvey.data.sets.folder import AUDIO_EXTENSIONS, OTHER_EXTENSIONS, is_hidden
from audiosurvey.errors import UserError
from audiosurvey.plainfile import not_plain
from audiosurvey.predict.stream import read_blocks


class Source(Protocol):
    """One sound, from anywhere."""

    @property
    def name(self) -> str:
        """What it is called in results."""
        ...

    @property
    def live(self) -> bool:
        """Whether it may come as slowly as it is played: results are then given window by window, at once."""
        ...

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        """The sound as mono blocks (S) at this rate. Raises BadAudio, where the fault is."""
        ...

    def length(self, sample_rate: int) -> int:
        """Samples at this rate. Raises BadAudio; ValueError for a sound whose end is not known."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """A sound file."""

    path: Path
    name: str
    size: int = 0
    """In bytes."""
    stamp: Stamp | None = None
    """What tells that the file has not changed since."""
    live: bool = False
    fault: str | None = None
    """Why it cannot be read, where that is known before it is opened."""

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        if self.fault:
            raise BadAudio(self.fault)
        yield from read_blocks(self.path, sample_rate=sample_rate, mono=mono)

    def seconds(self) -> float | None:
        """What the header says, None where it leaves that open or cannot be read."""
        try:
            return probe(self.path).seconds
        except BadAudio:
            return None

    def length(self, sample_rate: int) -> int:
        """Samples at this rate; read through where the header leaves it open. Raises BadAudio."""
        header = probe(self.path)
        if header.frames is not None:
            return resampled_length(header.frames, header.sample_rate, sample_rate)
        return sum(map(len, read_blocks(self.path, sample_rate=sample_rate, mono="left")))


def find_sources(words: Sequence[str]) -> list[FileSource]:
    """The sound files that the words mean, in their order, folders sorted by name.

    Raises UserError for a word that means nothing.
    """
    found: dict[Path, FileSource] = {}
    for word in words:
        for source in _meant(word):
            found.setdefault(source.path.absolute(), source)
    return list(found.values())


def _meant(word: str) -> Iterator[FileSource]:
    path = Path(word)
    if path.is_dir():
        yield from _folder(path)
    elif os.path.lexists(path):
        yield _file(path)
    elif any(sign in word for sign in "*?["):
        found = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        # What a folder leaves out, a pattern leaves out too, unless it says the name.
        named = set(path.parts)
        matches = sorted(match for match in found if not any(map(is_hidden, set(match.parts) - named)))
        if not matches:
            raise UserError(f"{word}: nothing matches this pattern")
        for match in matches:
            yield from _below(match) if match.is_dir() else [_file(match)]
    else:
        raise UserError(f"{word}: no such file or folder")


def _folder(root: Path) -> Iterator[FileSource]:
    sources = list(_below(root))
    if not sources:
        raise UserError(f"{root}: no sound files in this folder")
    yield from sources


def _below(root: Path) -> Iterator[FileSource]:
    """The sound files below a folder in the order of their names; links to folders are followed, each folder once."""
    visited: set[Path] = set()

    def walk(folder: Path) -> Iterator[FileSource]:
        real = folder.resolve()
        if real in visited:
            return
        visited.add(real)
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            yield FileSource(folder, str(folder), fault=f"the folder cannot be read ({error.strerror or error})")
            return
        for entry in entries:
            if is_hidden(entry.name):
                continue
            sounding = entry.suffix.lower() in AUDIO_EXTENSIONS | OTHER_EXTENSIONS
            if entry.is_dir():
                inside = list(walk(entry))
                yield from inside
                if sounding and not inside:
                    yield _file(entry)
            elif sounding:
                yield _file(entry)

    return walk(root)


def _file(path: Path) -> FileSource:
    try:
        facts = path.stat()
    except OSError as error:
        missing = path.is_symlink() and isinstance(error, FileNotFoundError)
        fault = "a link to a file that is missing" if missing else f"cannot be opened ({error.strerror or error})"
        return FileSource(path, str(path), fault=fault)
    return FileSource(path, str(path), facts.st_size, stamp_of(path), fault=not_plain(path))
