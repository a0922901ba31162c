"""UrbanSound8K: 8732 stretches of street recordings, up to 4 s, 10 classes, 10 folds.

Enters: a folder with `metadata/UrbanSound8K.csv` and `audio/foldN/`. Leaves: the table.
Source: J. Salamon, C. Jacoby and J. P. Bello, "A Dataset and Taxonomy for Urban Sound Research", ACM
Multimedia 2014.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from audiosurvey.data.sets.published import Layout, PublishedRow, classes_and_clips, not_official, read_published
from audiosurvey.data.table import Table

LAYOUT = Layout(
    meta=Path("metadata", "UrbanSound8K.csv"),
    file="slice_file_name",
    fold="fold",
    number="classID",
    name="class",
    source="fsID",
)

CLASSES = (
    "air_conditioner",
    "car_horn",
    "children_playing",
    "dog_bark",
    "drilling",
    "engine_idling",
    "gun_shot",
    "jackhammer",
    "siren",
    "street_music",
)
"""In the order of `classID`."""

CLASS_SIZES = (1000, 429, 1000, 1000, 1000, 1000, 374, 1000, 929, 1000)
FOLD_SIZES = (873, 888, 925, 990, 936, 823, 838, 806, 816, 837)

# Source, class, occurrence in the source and slice of the occurrence: 100263-2-0-117.wav
_FILE_NAME = re.compile(r"(\d+)-(\d+)-\d+-\d+")


def read_urbansound8k(root: Path) -> Table:
    """The table of UrbanSound8K; `official` when it is whole and as published."""
    rows = read_published(root, LAYOUT)
    classes, clips = classes_and_clips(root, rows, lambda row: f"audio/fold{row.fold}/{row.file}")
    official = _as_published(rows)
    return Table(
        name="urbansound8k",
        root=root,
        classes=classes,
        clips=clips,
        official=official,
        published_folds=official,
        licence="CC BY-NC 3.0 (non-commercial)",
        notes=() if official else not_official(LAYOUT.meta),
    )


def _as_published(rows: list[PublishedRow]) -> bool:
    """Whether classes and folds have their published sizes, and every row says what its file's name says."""
    for row in rows:
        parts = _FILE_NAME.fullmatch(PurePosixPath(row.file).stem)
        if parts is None or parts.groups() != (row.source, str(row.number)):
            return False
    classes = Counter((row.number, row.name) for row in rows)
    wanted = {(index, name): size for index, (name, size) in enumerate(zip(CLASSES, CLASS_SIZES, strict=True))}
    return classes == wanted and Counter(row.fold for row in rows) == dict(enumerate(FOLD_SIZES, start=1))
