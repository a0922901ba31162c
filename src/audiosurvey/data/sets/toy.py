"""The toy set: 300 clips of one second, ten classes, five folds; made on the spot, the same everywhere.

Enters: a place and a seed. Leaves: a folder in the layout of ESC-50 (`audio/*.wav`, `meta/esc50.csv`) and
its table. It exists so that everything can be tried and tested without a download; scores on it mean
nothing beyond that.
"""

import json
import secrets
import shutil
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosurvey.data.sets.esc50 import LAYOUT
from audiosurvey.data.sets.published import classes_and_clips, read_published
from audiosurvey.data.sets.toy_sounds import SAMPLE_RATE, SOUNDS, render
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError, not_written

VERSION = 1
CLASSES = tuple(SOUNDS)

_FOLDS = 5
# Six clips a class and fold: the first recording gives two of them, as recordings of real sets give several.
_TAKES = ("AB", "A", "A", "A", "A")
_MARK = Path("meta", "toy.json")
_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")


@dataclass(frozen=True, slots=True)
class _Row:
    fold: int
    target: int
    source: str
    take: str

    @property
    def file(self) -> str:
        return f"{self.fold}-{self.source}-{self.take}-{self.target}.wav"


def read_toy(root: Path, seed: int = 0) -> Table:
    """The table of the toy set at `root`, which is made where it is missing, incomplete or of another
    version.

    Errors: `UserError` if `root` holds something else or cannot be written.
    """
    if not _is_whole(root, seed):
        make_toy(root, seed)
    classes, clips = classes_and_clips(root, read_published(root, LAYOUT), lambda row: f"audio/{row.file}")
    return Table("toy", root, classes, clips, licence="CC0")


def make_toy(root: Path, seed: int = 0) -> None:
    """Write the toy set: into a folder beside `root`, which takes its place when it is complete.

    Errors: `UserError` if `root` holds something else or cannot be written.
    """
    place = root.as_posix()
    if root.exists() and not (root / _MARK).is_file() and not (root.is_dir() and not any(root.iterdir())):
        raise UserError(f"{place}: holds something else than the toy set; set dataset.root to a new folder")
    beside = root.absolute().with_name(f".{root.absolute().name}-{secrets.token_hex(6)}")
    old = beside.with_name(f"{beside.name}-old")
    try:
        _write(beside, seed)
        # Another process may have been first, and is reading its set already; it is the same.
        if not _is_whole(root, seed):
            if root.exists():
                root.rename(old)
            beside.rename(root)
    except OSError as error:
        if not _is_whole(root, seed):
            raise not_written(error, f"{place}: the toy set cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _write(folder: Path, seed: int) -> None:
    (folder / "audio").mkdir(parents=True)
    (folder / "meta").mkdir()
    lines = [",".join(_COLUMNS)]
    for row in _rows():
        name = CLASSES[row.target]
        _write_wave(folder / "audio" / row.file, render(name, seed, row.source, row.take))
        lines.append(f"{row.file},{row.fold},{row.target},{name},False,{row.source},{row.take}")
    (folder / LAYOUT.meta).write_bytes(("\n".join(lines) + "\n").encode())
    (folder / _MARK).write_bytes((json.dumps({"version": VERSION, "seed": seed}) + "\n").encode())


def _rows() -> Iterator[_Row]:
    for fold in range(1, _FOLDS + 1):
        for target in range(len(CLASSES)):
            for number, takes in enumerate(_TAKES):
                # A letter in front keeps these names apart from the Freesound numbers of real sets.
                source = f"t{fold}{target}{number}"
                yield from (_Row(fold, target, source, take) for take in takes)


def _write_wave(path: Path, wave_S: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(wave_S.astype("<i2").tobytes())


def _is_whole(root: Path, seed: int) -> bool:
    try:
        mark = json.loads((root / _MARK).read_text(encoding="utf-8"))
        files = {path.name for path in (root / "audio").iterdir()}
    except (OSError, ValueError):
        return False
    wanted = {"version": VERSION, "seed": seed}
    return mark == wanted and (root / LAYOUT.meta).is_file() and files >= {row.file for row in _rows()}
