"""predictions.csv: one row a clip, with its label and the probability of every class."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audiosurvey.atomic import replacing
from audiosurvey.data.table import Clip


def write_predictions(
    path: Path, clips: Sequence[Clip], fold: int, classes: Sequence[str], scores_NK: np.ndarray
) -> None:
    """Columns clip, fold, label (several joined with `|`), then `p:CLASS`; written beside and renamed."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", "fold", "label", *(f"p:{name}" for name in classes)])
        for clip, scores_K in zip(clips, scores_NK, strict=True):
            label = "|".join(classes[label] for label in clip.labels)
            writer.writerow([clip.id, fold, label, *(f"{score:.9g}" for score in scores_K)])


def read_predictions(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Clip ids, label cells and scores (N, K) of a predictions.csv. Raises ValueError if it has no rows."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError("no rows")
    columns = [name for name in rows[0] if name.startswith("p:")]
    scores_NK = np.array([[row[name] for name in columns] for row in rows], dtype=np.float32)
    return [row["clip"] for row in rows], [row["label"] for row in rows], scores_NK
