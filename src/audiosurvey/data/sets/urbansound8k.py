"""UrbanSound8K: 8732 excerpts of field recordings, up to 4 s, 10 classes, 10 folds.

Source: J. Salamon, C. Jacoby and J. P. Bello, "A Dataset and Taxonomy for Urban Sound Research", ACM Multimedia 2014.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from audiosurvey.data.download.datasets import Archive
from audiosurvey.data.sets.published import CsvLayout, PublishedRow, published_table, read_published
from audiosurvey.data.sets.spec import DatasetSpec
from audiosurvey.data.table import Table

LAYOUT = CsvLayout(
    meta=Path("metadata", "UrbanSound8K.csv"),
    file="slice_file_name",
    fold="fold",
    number="classID",
    name="class",
    source="fsID",
)

CLASSES = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)
"""In the order of `classID`."""

CLASS_SIZES = (1000, 429, 1000, 1000, 1000, 1000, 374, 1000, 929, 1000)
FOLD_SIZES = (873, 888, 925, 990, 936, 823, 838, 806, 816, 837)

# Source, class, occurrence in the source and slice of the occurrence: 100263-2-0-117.wav
_FILE_NAME = re.compile(r"(\d+)-(\d+)-\d+-\d+")


def read_urbansound8k(root: Path, subset: str | None = None) -> Table:
    """The table of UrbanSound8K; `official` when it is whole and as published."""
    rows = read_published(root, LAYOUT)
    return published_table(
        "urbansound8k",
        root,
        LAYOUT,
        rows,
        lambda row: f"audio/fold{row.fold}/{row.file}",
        official=_as_published(rows),
        licence="CC BY-NC 3.0 (non-commercial)",
    )


def _as_published(rows: list[PublishedRow]) -> bool:
    """Whether classes and folds have their published sizes, and every row agrees with its file's name."""
    for row in rows:
        parts = _FILE_NAME.fullmatch(PurePosixPath(row.file).stem)
        if parts is None or parts.groups() != (row.source, str(row.number)):
            return False
    classes = Counter((row.number, row.name) for row in rows)
    wanted = {(index, name): size for index, (name, size) in enumerate(zip(CLASSES, CLASS_SIZES, strict=True))}
    return classes == wanted and Counter(row.fold for row in rows) == dict(enumerate(FOLD_SIZES, start=1))


SPEC = DatasetSpec(
    name="urbansound8k",
    root=Path("data/UrbanSound8K"),
    clip_seconds=4,
    classes=CLASSES,
    read=read_urbansound8k,
    marker=LAYOUT.meta,
    archive=Archive(
        title="UrbanSound8K",
        url="https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
        suffix=".tar.gz",
        archive_bytes=6_023_741_708,
        unpacked_bytes=7_100_000_000,
        md5="9aa69802bbf37fb986f71ec1483a196e",
        table="metadata/UrbanSound8K.csv",
        clips=8732,
        clip_path=lambda row: f"audio/fold{row['fold']}/{row['slice_file_name']}",
        clip_bytes=None,
        licence="CC BY-NC 3.0 (its Zenodo record: 4.0); authors of the recordings in FREESOUNDCREDITS.txt",
    ),
    hub="danavery/urbansound8K",
)
