"""predictions.csv: one row a clip, with its label, source recording and the probability of every class."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audiosurvey.atomic import replacing
from audiosurvey.data.table import Clip


def write_predictions(
    path: Path, clips: Sequence[Clip], fold: int, classes: Sequence[str], scores_NK: np.ndarray
) -> None:
    """Columns clip, fold, label (several joined with `|`), source (empty if not known), then `p:CLASS`."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", "fold", "label", "source", *(f"p:{name}" for name in classes)])
        for clip, score_K in zip(clips, scores_NK, strict=True):
            label = "|".join(classes[index] for index in clip.labels)
            writer.writerow([clip.id, fold, label, clip.source or "", *(f"{score:.9g}" for score in score_K)])


def read_predictions(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Clip ids, label cells and scores (N, K) of a predictions.csv.

    Raises ValueError for a damaged file, OSError for one that cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as file:
        try:
            header, *rows = csv.reader(file, strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from error
    columns = [index for index, name in enumerate(header) if name.startswith("p:")]
    clip, label = header.index("clip"), header.index("label")
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"{path}: rows of different lengths")
    scores_NK = np.array([[float(row[index]) for index in columns] for row in rows], dtype=np.float32)
    return [row[clip] for row in rows], [row[label] for row in rows], scores_NK.reshape(len(rows), len(columns))
