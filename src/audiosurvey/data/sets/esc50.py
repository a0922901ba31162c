"""ESC-50 and its subset ESC-10: 2000 clips of 5 s, 50 classes, 5 folds, with the recording each was cut from.

Enters: a folder with `meta/esc50.csv` and `audio/`. Leaves: the table.
Source: K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Literal

from audiosurvey.data.sets.published import Layout, PublishedRow, classes_and_clips, not_official, read_published
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError

LAYOUT = Layout(
    meta=Path("meta", "esc50.csv"),
    file="filename",
    fold="fold",
    number="target",
    name="category",
    source="src_file",
    further=("esc10", "take"),
)

CLASSES = (
    "dog",
    "rooster",
    "pig",
    "cow",
    "frog",
    "cat",
    "hen",
    "insects",
    "sheep",
    "crow",
    "rain",
    "sea_waves",
    "crackling_fire",
    "crickets",
    "chirping_birds",
    "water_drops",
    "wind",
    "pouring_water",
    "toilet_flush",
    "thunderstorm",
    "crying_baby",
    "sneezing",
    "clapping",
    "breathing",
    "coughing",
    "footsteps",
    "laughing",
    "brushing_teeth",
    "snoring",
    "drinking_sipping",
    "door_wood_knock",
    "mouse_click",
    "keyboard_typing",
    "door_wood_creaks",
    "can_opening",
    "washing_machine",
    "vacuum_cleaner",
    "clock_alarm",
    "clock_tick",
    "glass_breaking",
    "helicopter",
    "chainsaw",
    "siren",
    "car_horn",
    "engine",
    "train",
    "church_bells",
    "airplane",
    "fireworks",
    "hand_saw",
)
"""In the order of `target`: animals, nature, human, indoors, outdoors; ten each."""

ESC10_CLASSES = tuple(CLASSES[target] for target in (0, 1, 10, 11, 12, 20, 21, 38, 40, 41))

SPREAD_SOURCES = frozenset({"131943", "134049", "209698", "234879"})
"""The four recordings whose clips the published table has in two folds (a clock that ticks and strikes, a hen
and a rooster), although clips of one recording are meant to be together."""

TWIN_SOURCES = frozenset({"14262", "198841", "110011", "256452", "151080", "151085"})
"""Recordings that overlap, wave for wave, with one of another name in another fold of the published table: 14262 with
198841 (an alarm clock), 110011 with 256452 (a cat), 151080 with 151085 (a baby; in ESC-10 too)."""

# Fold, source, take and target are in the name of a file: 1-100032-A-0.wav
_FILE_NAME = re.compile(r"(\d+)-(\d+)-([A-Z])-(\d+)")
_FOLDS = 5
_CLIPS_PER_CLASS_AND_FOLD = 8


def read_esc50(root: Path, subset: Literal["esc10"] | None = None) -> Table:
    """The table of ESC-50, or of its rows marked `esc10`; `official` when it is whole and as published."""
    rows = read_published(root, LAYOUT)
    if subset is not None:
        rows = [row for row in rows if row.cells["esc10"].lower() in ("true", "1")]
    if not rows:
        raise UserError(f"{(root / LAYOUT.meta).as_posix()}: no row is marked esc10; leave out dataset.subset")
    classes, clips = classes_and_clips(root, rows, lambda row: f"audio/{row.file}")
    official = _as_published(rows, CLASSES if subset is None else ESC10_CLASSES)
    return Table(
        name="esc50",
        subset=subset,
        root=root,
        classes=classes,
        clips=clips,
        official=official,
        published_folds=official,
        licence="CC BY-NC 3.0 (non-commercial)" if subset is None else "CC BY 3.0",
        notes=() if official else not_official(LAYOUT.meta),
    )


def _as_published(rows: list[PublishedRow], classes: tuple[str, ...]) -> bool:
    """Whether every class has its eight clips in every fold, and every row says what its file's name says."""
    for row in rows:
        parts = _FILE_NAME.fullmatch(PurePosixPath(row.file).stem)
        if parts is None or parts.groups() != (str(row.fold), row.source, row.cells["take"], str(row.number)):
            return False
    counts = Counter((row.number, row.name, row.fold) for row in rows)
    folds = range(1, _FOLDS + 1)
    wanted = {(CLASSES.index(name), name, fold): _CLIPS_PER_CLASS_AND_FOLD for name in classes for fold in folds}
    return counts == wanted
