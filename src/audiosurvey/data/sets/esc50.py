"""ESC-50 and its subset ESC-10: 2000 clips of 5 s, 50 classes, 5 folds, with the recording each was cut from.

Source: K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from audiosurvey.data.download.datasets import Archive
from audiosurvey.data.sets.published import CsvLayout, PublishedRow, published_table, read_published
from audiosurvey.data.sets.spec import DatasetSpec
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError

LAYOUT = CsvLayout(
    meta=Path("meta", "esc50.csv"),
    file="filename",
    fold="fold",
    number="target",
    name="category",
    source="src_file",
    further=("esc10", "take"),
)

_CATEGORIES = {
    "animals": "dog rooster pig cow frog cat hen insects sheep crow",
    "nature": "rain sea_waves crackling_fire crickets chirping_birds water_drops wind pouring_water toilet_flush "
    "thunderstorm",
    "humans": "crying_baby sneezing clapping breathing coughing footsteps laughing brushing_teeth snoring "
    "drinking_sipping",
    "indoors": "door_wood_knock mouse_click keyboard_typing door_wood_creaks can_opening washing_machine "
    "vacuum_cleaner clock_alarm clock_tick glass_breaking",
    "outdoors": "helicopter chainsaw siren car_horn engine train church_bells airplane fireworks hand_saw",
}
CLASSES = tuple(name for names in _CATEGORIES.values() for name in names.split())
"""In the order of `target`."""

ESC10_CLASSES = tuple(CLASSES[target] for target in (0, 1, 10, 11, 12, 20, 21, 38, 40, 41))

# Fold, source, take and target are in the name of a file: 1-100032-A-0.wav
_FILE_NAME = re.compile(r"(\d+)-(\d+)-([A-Z])-(\d+)")
_FOLDS = 5
_CLIPS_PER_CLASS_AND_FOLD = 8
_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"


def read_esc50(root: Path, subset: str | None = None) -> Table:
    """The table of ESC-50, or of its rows marked `esc10`; `official` when it is whole and as published."""
    rows = read_published(root, LAYOUT)
    if subset is not None:
        rows = [row for row in rows if _is_esc10(row)]
    if not rows:
        raise UserError(f"{(root / LAYOUT.meta).as_posix()}: no row is marked esc10; leave out dataset.subset")
    return published_table(
        "esc50",
        root,
        LAYOUT,
        rows,
        lambda row: f"audio/{row.file}",
        official=_as_published(rows, CLASSES if subset is None else ESC10_CLASSES),
        licence="CC BY-NC 3.0 (non-commercial)" if subset is None else "CC BY 3.0",
        subset=subset,
    )


def _is_esc10(row: PublishedRow) -> bool:
    return row.cells["esc10"].lower() in ("true", "1")


def _as_published(rows: list[PublishedRow], classes: tuple[str, ...]) -> bool:
    """Whether every class has eight clips in every fold, and every row agrees with its file's name."""
    for row in rows:
        parts = _FILE_NAME.fullmatch(PurePosixPath(row.file).stem)
        if parts is None or parts.groups() != (str(row.fold), row.source, row.cells["take"], str(row.number)):
            return False
    counts = Counter((row.number, row.name, row.fold) for row in rows)
    folds = range(1, _FOLDS + 1)
    wanted = {(CLASSES.index(name), name, fold): _CLIPS_PER_CLASS_AND_FOLD for name in classes for fold in folds}
    return counts == wanted


SPEC = DatasetSpec(
    name="esc50",
    root=Path("data/ESC-50"),
    clip_seconds=5,
    classes=CLASSES,
    subsets={"esc10": ESC10_CLASSES},
    read=read_esc50,
    marker=LAYOUT.meta,
    subset_at=lambda root: "esc10" if all(map(_is_esc10, read_published(root, LAYOUT))) else None,
    # A clock that ticks and strikes, a hen and a rooster.
    spread_sources=frozenset({"131943", "134049", "209698", "234879"}),
    # 14262 with 198841 (an alarm clock), 110011 with 256452 (a cat), 151080 with 151085 (a baby; in ESC-10 too).
    twin_sources=frozenset({"14262", "198841", "110011", "256452", "151080", "151085"}),
    archive=Archive(
        title="ESC-50",
        url=f"https://github.com/karolpiczak/ESC-50/archive/{_COMMIT}.zip",
        suffix=".zip",
        archive_bytes=645_832_161,
        unpacked_bytes=890_000_000,
        md5=None,
        table="meta/esc50.csv",
        clips=2000,
        clip_path=lambda row: f"audio/{row['filename']}",
        clip_bytes=441_044,
        licence="CC BY-NC 3.0 (its ESC-10 subset: CC BY 3.0); authors of the recordings in its LICENSE file",
    ),
    starter_lines=(("# subset: esc10", "only the 400 clips of ESC-10"),),
    hub="ashraq/esc50",
)
