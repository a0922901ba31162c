"""The toy set: 300 clips of one second, ten classes, five folds; synthesised if missing, identical on every machine.

It has the layout of ESC-50 (`audio/*.wav`, `meta/esc50.csv`). Everything can be tried and tested on it without a
download; scores on it mean nothing beyond that.
"""

import json
import secrets
import shutil
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audiosurvey.data.sets.esc50 import LAYOUT
from audiosurvey.data.sets.published import published_table, read_published
from audiosurvey.data.sets.spec import DatasetSpec
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
class _ToyClip:
    fold: int
    target: int
    source: str
    take: str

    @property
    def file(self) -> str:
        return f"{self.fold}-{self.source}-{self.take}-{self.target}.wav"


def read_toy(root: Path, subset: str | None = None, seed: int = 0) -> Table:
    """The table of the toy set at `root`, which is made first where it is missing, incomplete or of another version.

    Raises UserError if `root` holds something else or cannot be written.
    """
    if not _is_whole(root, seed):
        make_toy(root, seed)
    table = published_table(
        "toy",
        root,
        LAYOUT,
        read_published(root, LAYOUT),
        lambda row: f"audio/{row.file}",
        official=False,
        licence="CC0",
    )
    return replace(table, notes=())


def make_toy(root: Path, seed: int = 0) -> None:
    """Write the toy set into a temporary folder beside `root`, and rename it when it is complete.

    Raises UserError if `root` holds something else or cannot be written.
    """
    place = root.as_posix()
    if root.exists() and not (root / _MARK).is_file() and not (root.is_dir() and not any(root.iterdir())):
        raise UserError(f"{place}: contains something other than the toy set; set dataset.root to a new folder")
    beside = root.absolute().with_name(f".{root.absolute().name}-{secrets.token_hex(6)}")
    old = beside.with_name(f"{beside.name}-old")
    try:
        _write(beside, seed)
        # Another process may have been first, and be reading its set already; it is the same.
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
    for clip in _clips():
        name = CLASSES[clip.target]
        _write_wave(folder / "audio" / clip.file, render(name, seed, clip.source, clip.take))
        lines.append(f"{clip.file},{clip.fold},{clip.target},{name},False,{clip.source},{clip.take}")
    (folder / LAYOUT.meta).write_bytes(("\n".join(lines) + "\n").encode())
    (folder / _MARK).write_bytes((json.dumps({"version": VERSION, "seed": seed}) + "\n").encode())


def _clips() -> Iterator[_ToyClip]:
    for fold in range(1, _FOLDS + 1):
        for target in range(len(CLASSES)):
            for number, takes in enumerate(_TAKES):
                # The letter in front keeps these names apart from the Freesound numbers of real sets.
                source = f"t{fold}{target}{number}"
                yield from (_ToyClip(fold, target, source, take) for take in takes)


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
    return mark == wanted and (root / LAYOUT.meta).is_file() and files >= {clip.file for clip in _clips()}


SPEC = DatasetSpec(
    name="toy",
    root=Path("data/toy"),
    clip_seconds=1,
    classes=CLASSES,
    read=read_toy,
    published=False,
    generated=True,
    sample_rate=SAMPLE_RATE,
)
