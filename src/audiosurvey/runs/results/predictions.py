"""predictions.csv: one row a clip, with its source recording, label, prediction and the probability of every class."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosurvey.atomic import replacing
from audiosurvey.data.csv_rows import Faults, Row, need_columns, number, read_rows, whole_number
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.training.class_metrics import decisions

PREFIX = "p:"
"""Columns of probabilities begin with it; the name of the class follows."""
SEPARATOR = "|"
_SUM_TOLERANCE = 1e-6


def write_predictions(
    path: Path,
    clips: Sequence[Clip],
    fold: int,
    classes: Sequence[str],
    scores_NK: np.ndarray,
    *,
    multi_label: bool = False,
) -> None:
    """Writes the predictions of clips of one fold, as `write_rows` does."""
    rows = [PredictionRow(clip.id, clip.source, fold, clip.labels) for clip in clips]
    write_rows(path, rows, classes, scores_NK, multi_label=multi_label)


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """What a row says of a clip, beside its scores."""

    clip: str
    source: str | None
    fold: int
    labels: Sequence[int]


def write_rows(
    path: Path, rows: Sequence[PredictionRow], classes: Sequence[str], scores_NK: np.ndarray, *, multi_label: bool
) -> None:
    """Columns clip, source (empty if unknown), fold, label, predicted, then `p:CLASS`.

    Several labels are joined with `|`. `predicted` is the best class or, with `multi_label`, every class with a score
    of at least 0.5, which may be none.
    """
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", "source", "fold", "label", "predicted", *(PREFIX + name for name in classes)])
        decided_NK = decisions(scores_NK, multi_label)
        for row, score_K, decided_K in zip(rows, scores_NK, decided_NK, strict=True):
            best = np.flatnonzero(decided_K).tolist()
            label, predicted = (SEPARATOR.join(classes[index] for index in chosen) for chosen in (row.labels, best))
            scores = (f"{score:.9g}" for score in score_K)
            writer.writerow([row.clip, row.source or "", row.fold, label, predicted, *scores])


def read_predictions(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Clip ids, label cells and scores (N, K) of a predictions.csv.

    Raises ValueError for a damaged file, OSError for one that cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as file:
        try:
            header, *rows = csv.reader(file, strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from error
    columns = [index for index, name in enumerate(header) if name.startswith(PREFIX)]
    clip, label = header.index("clip"), header.index("label")
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"{path}: rows of different lengths")
    scores_NK = np.array([[float(row[index]) for index in columns] for row in rows], dtype=np.float32)
    return [row[clip] for row in rows], [row[label] for row in rows], scores_NK.reshape(len(rows), len(columns))


@dataclass(frozen=True)
class PredictionTable:
    """The content of a predictions.csv, of this program or another one."""

    path: Path
    clips: tuple[str, ...]
    sources: tuple[str | None, ...]
    """The source recording of each clip; None if the file does not tell."""
    folds_N: np.ndarray
    classes: tuple[str, ...]
    truth_NK: np.ndarray
    """True labels, bool."""
    scores_NK: np.ndarray
    """Probabilities, float64."""

    @property
    def multi_label(self) -> bool:
        """Whether some clip has no label, or several."""
        return bool((self.truth_NK.sum(axis=1) != 1).any())


def read_prediction_table(path: Path) -> PredictionTable:
    """Reads and checks a predictions.csv by its header.

    Columns `clip`, `fold`, `label` and `p:CLASS` must be there, in any order; `source` and `predicted` may be missing.
    Raises UserError with a line for each fault: cells that are no numbers, scores outside 0 to 1, unknown labels, clips
    that occur twice, a predicted class that does not have the highest score.
    """
    header, rows = read_rows(path)
    need_columns(path, header, ("clip", "fold", "label"))
    classes = tuple(name.removeprefix(PREFIX) for name in header if name.startswith(PREFIX))
    if not classes:
        raise UserError(f"{path.as_posix()}:1: no column {PREFIX}CLASS with the probabilities of a class")
    faults = Faults(path)
    labels = [_labels(row, "label", classes, faults) for row in rows]
    scores_NK = _scores(rows, classes, faults)
    folds = [_fold(row, faults) for row in rows]
    _check_clips(rows, faults)
    if "predicted" in header:
        predicted = [_labels(row, "predicted", classes, faults) for row in rows]
        if all(len(chosen) == 1 for chosen in (*labels, *predicted)):
            _check_best(rows, classes, predicted, scores_NK, faults)
    faults.raise_all()
    truth_NK = np.zeros(scores_NK.shape, dtype=bool)
    for truth_K, chosen in zip(truth_NK, labels, strict=True):
        truth_K[chosen] = True
    named = "source" in header
    return PredictionTable(
        path,
        tuple(row["clip"] for row in rows),
        tuple((row["source"] or None) if named else None for row in rows),
        np.array(folds),
        classes,
        truth_NK,
        scores_NK,
    )


def _labels(row: Row, column: str, classes: Sequence[str], faults: Faults) -> list[int]:
    cell = row[column]
    names = _names(cell, classes)
    for name in names:
        if name not in classes:
            faults.add(row.line, column, f"unknown class '{name}': there is no column {PREFIX}{name}")
    return [classes.index(name) for name in names if name in classes]


def _names(cell: str, classes: Sequence[str]) -> list[str]:
    """The classes in a cell. Their names may contain the separator: at each place, the longest known name is taken."""
    parts = cell.split(SEPARATOR)
    names = []
    while parts:
        joined = [SEPARATOR.join(parts[:count]).strip() for count in range(len(parts), 0, -1)]
        name = next((name for name in joined if name in classes), joined[-1])
        parts = parts[name.count(SEPARATOR) + 1 :]
        names += [name] if name else []
    return names


def _scores(rows: Sequence[Row], classes: Sequence[str], faults: Faults) -> np.ndarray:
    columns = [PREFIX + name for name in classes]
    cells = [[row[column] for column in columns] for row in rows]
    try:
        scores_NK = np.array(cells, dtype=np.float64)
    except ValueError:
        scores_NK = np.array([[_number_or_nan(cell) for cell in row] for row in cells])
    for place, at in np.argwhere(~((scores_NK >= 0) & (scores_NK <= 1 + _SUM_TOLERANCE))):
        faults.add(rows[place].line, columns[at], f"'{cells[place][at]}' is not a probability between 0 and 1")
    return scores_NK.clip(0, 1)


def _number_or_nan(cell: str) -> float:
    found = number(cell)
    return math.nan if found is None else found


def _fold(row: Row, faults: Faults) -> int:
    fold = whole_number(row["fold"])
    if fold is None:
        faults.add(row.line, "fold", f"'{row['fold']}' is not a whole number")
    return fold or 0


def _check_clips(rows: Sequence[Row], faults: Faults) -> None:
    first: dict[str, int] = {}
    for row in rows:
        if not row["clip"]:
            faults.add(row.line, "clip", "empty")
        elif row["clip"] in first:
            faults.add(row.line, "clip", f"'{row['clip']}' is in line {first[row['clip']]} too")
        first.setdefault(row["clip"], row.line)


def _check_best(
    rows: Sequence[Row], classes: Sequence[str], predicted: list[list[int]], scores_NK: np.ndarray, faults: Faults
) -> None:
    for row, (index,), score_K in zip(rows, predicted, scores_NK, strict=True):
        if score_K[index] < score_K.max():
            highest = classes[int(score_K.argmax())]
            message = f"'{classes[index]}' does not have the highest score, '{highest}' has; correct or remove it"
            faults.add(row.line, "predicted", message)
