"""Sound sources, and the sound files that paths, folders and patterns stand for.

A folder stands for every sound file below it, a pattern (`"*.wav"`, `"**/*.flac"`) for its matches; each file is listed
once. Files that look like sounds but cannot be read are listed too, so that they are reported and not skipped silently.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio, Mono, probe, resampled_length
from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS, OTHER_EXTENSIONS
from audiosurvey.data.audio.sound_file import Stamp, stamp_of
from audiosurvey.data.sets.folder import is_hidden
from audiosurvey.errors import UserError
from audiosurvey.plainfile import not_plain
from audiosurvey.prediction.stream import read_blocks


class SoundSource(Protocol):
    """One sound from a file, a pipe or a microphone."""

    @property
    def name(self) -> str:
        """The name in results."""
        ...

    @property
    def live(self) -> bool:
        """Whether it may arrive in real time: results are then given window by window, immediately."""
        ...

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        """Mono blocks (S) at this rate. Raises BadAudio at the position of a fault."""
        ...

    def length(self, sample_rate: int) -> int:
        """Samples at this rate. Raises BadAudio; ValueError if the length is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """A sound file."""

    path: Path
    name: str
    size: int = 0
    """In bytes."""
    stamp: Stamp | None = None
    """Changes when the file changes."""
    live: bool = False
    fault: str | None = None
    """Why it cannot be read, if that is known before it is opened."""

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        if self.fault:
            raise BadAudio(self.fault)
        yield from read_blocks(self.path, sample_rate=sample_rate, mono=mono)

    def seconds(self) -> float | None:
        """The length in the header; None if it is not there or cannot be read."""
        try:
            return probe(self.path).seconds
        except BadAudio:
            return None

    def length(self, sample_rate: int) -> int:
        """Samples at this rate; the file is decoded if the header does not say. Raises BadAudio."""
        header = probe(self.path)
        if header.frames is not None:
            return resampled_length(header.frames, header.sample_rate, sample_rate)
        return sum(map(len, read_blocks(self.path, sample_rate=sample_rate, mono="left")))


def find_sources(words: Sequence[str]) -> list[FileSource]:
    """The sound files that paths, folders and patterns stand for, in their order; folders are sorted by name.

    Raises UserError for a word without any sound file.
    """
    found: dict[Path, FileSource] = {}
    for word in words:
        for source in _expand(word):
            found.setdefault(source.path.absolute(), source)
    return list(found.values())


def _expand(word: str) -> Iterator[FileSource]:
    path = Path(word)
    if path.is_dir():
        sources = list(_below(path, set()))
        if not sources:
            raise UserError(f"{path}: no sound files in this folder")
        yield from sources
    elif os.path.lexists(path):
        yield file_source(path)
    elif any(sign in word for sign in "*?["):
        found = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        # Hidden files are skipped, as in folders, unless the pattern names them.
        named = set(path.parts)
        matches = sorted(match for match in found if not any(map(is_hidden, set(match.parts) - named)))
        if not matches:
            raise UserError(f"{word}: no file matches this pattern")
        for match in matches:
            yield from _below(match, set()) if match.is_dir() else [file_source(match)]
    else:
        raise UserError(f"{word}: no such file or folder")


def _below(folder: Path, visited: set[Path]) -> Iterator[FileSource]:
    """The sound files below a folder, sorted by name; links to folders are followed, each folder is visited once."""
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
        is_sound = entry.suffix.lower() in AUDIO_EXTENSIONS | OTHER_EXTENSIONS
        inside = list(_below(entry, visited)) if entry.is_dir() else []
        yield from inside
        if is_sound and not inside:
            yield file_source(entry)


def file_source(path: Path) -> FileSource:
    """A sound file; what is known to be wrong with it is its fault."""
    try:
        size = path.stat().st_size
    except OSError as error:
        missing = path.is_symlink() and isinstance(error, FileNotFoundError)
        fault = "a link to a missing file" if missing else f"cannot be opened ({error.strerror or error})"
        return FileSource(path, str(path), fault=fault)
    return FileSource(path, str(path), size, stamp_of(path), fault=not_plain(path))
