"""Stretches of sound files: what content they are, and sound sources of them, as tables list them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio, Mono, decode
from audiosurvey.data.audio.resampling import mono_blocks
from audiosurvey.data.csv_rows import Faults, Row, number, read_rows, usual_column
from audiosurvey.data.names import on_disk, stretch_mark
from audiosurvey.errors import UserError
from audiosurvey.prediction.sources import FileSource, SoundSource, file_source, find_sources

_TABLES = (".csv", ".tsv")
_ROUNDING_S = 0.001


@dataclass(frozen=True, slots=True)
class FileStretch:
    """What a sound is by its content: a file by the hash of its bytes, or a part of it."""

    file: str
    start_s: float | None = None
    end_s: float | None = None

    def overlaps(self, start_s: float, end_s: float) -> bool:
        """Whether it has something in common with this part of the same file: more than times are rounded by."""
        own_end_s = math.inf if self.end_s is None else self.end_s
        return min(end_s, own_end_s) - max(start_s, self.start_s or 0.0) > _ROUNDING_S


@dataclass(frozen=True, slots=True)
class StretchSource:
    """A part of a sound file. An end of None is that of the file."""

    path: Path
    name: str
    start_s: float
    end_s: float | None = None
    fault: str | None = None
    live: bool = False

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        if self.fault:
            raise BadAudio(self.fault)
        yield from mono_blocks(
            self.path, start_s=self.start_s, end_s=self.end_s, mono=mono, sample_rate=sample_rate, cut=True
        )

    def length(self, sample_rate: int) -> int:
        return sum(map(len, self.blocks(sample_rate, "left")))


@dataclass(frozen=True, slots=True)
class ListedSound:
    """A row of a table of sounds."""

    path: Path
    start_s: float | None
    end_s: float | None
    label: str
    """The cell as it stands; empty without such a column."""


def find_stretches(words: Sequence[str]) -> list[SoundSource]:
    """The sounds that paths, folders, patterns and tables stand for, in their order, each once.

    Raises UserError for a word without any sound, and for faults of a table.
    """
    found: dict[tuple[Path, str], SoundSource] = {}
    for word in words:
        tables = tables_of(word)
        sources = [one for table in tables for one in _of_table(table)] if tables else find_sources([word])
        for source in sources:
            start_s, end_s = (source.start_s, source.end_s) if isinstance(source, StretchSource) else (None, None)
            found.setdefault((source.path.absolute(), stretch_mark(start_s, end_s)), source)
    return list(found.values())


def part_of(source: FileSource, start_s: float | None, end_s: float | None) -> StretchSource:
    """A part of a sound file."""
    return StretchSource(source.path, source.name, start_s or 0.0, end_s, source.fault)


def offset_s(source: SoundSource) -> float:
    """Where a sound begins in its file."""
    return source.start_s if isinstance(source, StretchSource) else 0.0


def read_part(source: SoundSource, start_s: float, end_s: float, sample_rate: int, mono: Mono) -> np.ndarray:
    """The samples (S) of a sound between two times of its file. Raises BadAudio."""
    if isinstance(source, FileSource | StretchSource):
        return decode(source.path, mono=mono, sample_rate=sample_rate, start_s=start_s, end_s=end_s)
    wave_S = np.concatenate(list(source.blocks(sample_rate, mono)))
    return wave_S[round(start_s * sample_rate) : round(end_s * sample_rate)]


def tables_of(word: str) -> list[Path]:
    """The tables of sounds that a word names, or a pattern such as `l*.csv` matches; none if it means sounds.

    Raises UserError for a pattern that matches none.
    """
    path = Path(word)
    if path.suffix.lower() not in _TABLES or path.is_dir():
        return []
    if path.exists() or not any(sign in word for sign in "*?["):
        return [path]
    found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not found:
        raise UserError(f"{word}: no file matches this pattern")
    return found


def read_sound_table(path: Path, *, labelled: bool = False) -> list[ListedSound]:
    """The rows of a table, with paths relative to its folder; columns have the usual names (path, start, end, label).

    Raises UserError with all faults of the table; `labelled`: also if it has no column of labels.
    """
    if not path.is_file():
        raise UserError(f"{path.as_posix()}: no such file")
    header, rows = read_rows(path)
    columns = {key: usual_column(key, header) for key in ("path", "start", "end", "label")}
    if (named := columns["path"]) is None:
        raise UserError(f"{path.as_posix()}:1: no column path; there are {', '.join(header)}")
    if labelled and columns["label"] is None:
        raise UserError(f"{path.as_posix()}:1: no column label; there are {', '.join(header)}")
    faults, found = Faults(path), []
    for row in rows:
        if not row[named]:
            faults.add(row.line, named, "empty; expected the path of a sound file")
            continue
        file = on_disk(path.parent / row[named].replace("\\", "/"))
        start_s, end_s = (_seconds(row, columns[key], faults) for key in ("start", "end"))
        if end_s is not None and end_s <= (start_s or 0.0):
            faults.add(row.line, str(columns["end"]), f"{end_s:g} s is not after the start, {start_s or 0.0:g} s")
        found.append(ListedSound(file, start_s, end_s, row[columns["label"]] if columns["label"] else ""))
    faults.raise_all()
    return found


def _of_table(path: Path) -> Iterator[FileSource | StretchSource]:
    for row in read_sound_table(path):
        source = file_source(row.path)
        whole = row.start_s is None and row.end_s is None
        yield source if whole else part_of(source, row.start_s, row.end_s)


def _seconds(row: Row, column: str | None, faults: Faults) -> float | None:
    text = row[column] if column else ""
    value = number(text) if text else None
    if text and (value is None or value < 0):
        faults.add(row.line, str(column), f"'{text}' is not a time; expected seconds such as 1.5")
    return value
