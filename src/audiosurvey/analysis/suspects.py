"""Clips whose label is probably wrong, by confident learning on out-of-fold scores: `analysis/suspects.json`.

Each clip is scored by a model that was not trained on it, so a model that is confident of another class speaks against
the label. The threshold of a class is the model's mean confidence on clips with that label.

Source: Northcutt, Jiang and Chuang 2021 ("Confident learning", arXiv 1911.00068), sections 3.1 and 3.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from audiosurvey.errors import UserError
from audiosurvey.runs.results.fold_predictions import read_fold_predictions
from audiosurvey.runs.results.predictions import SEPARATOR
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import StoredPart, write_json
from audiosurvey.version import __version__

FILE = "analysis/suspects.json"
"""Relative to the run folder."""
SCHEMA = 1


class Suspect(StoredPart):
    """A clip whose label is probably wrong."""

    clip: str
    fold: int
    given: str
    """The label; several joined with `|` in the order of the classes."""
    likely: str
    """The likely label; of several labels, those given with one added or removed."""
    given_score: float
    """Probability of the given label; of several, of the presence or absence that was given."""
    likely_score: float
    margin: float
    """Probability of the given label less that of the best other; -1 is most suspicious."""


class SuspectResults(StoredPart):
    """The form of suspects.json."""

    schema_version: int = Field(default=SCHEMA, validation_alias="schema", serialization_alias="schema")
    version: str
    clips: int
    folds: list[int]
    estimated_errors: float
    """Estimate of how many labels are wrong, from the joint distribution of given and true labels."""
    suspects: list[Suspect]
    """Most suspicious first."""


@dataclass(frozen=True)
class Confident:
    """Confident learning on N clips with one of K labels each."""

    suspect_N: np.ndarray
    """Whether the label is probably wrong."""
    likely_N: np.ndarray
    """The class that the model is confident of; the given one where there is none."""
    margin_N: np.ndarray
    """Probability of the given label less that of the best other."""
    estimated_errors: float


def confident_learning(given_N: np.ndarray, scores_NK: np.ndarray) -> Confident:
    """Suspects among clips with given labels (N), from probabilities (N, K) by models that did not see them."""
    rows, classes = np.arange(len(given_N)), scores_NK.shape[1]
    own_N = scores_NK[rows, given_N]
    counts_K = np.bincount(given_N, minlength=classes)
    with np.errstate(invalid="ignore"):
        threshold_K = np.bincount(given_N, own_N, classes) / counts_K
    # Comparison with NaN is false: nobody is taken for a class without clips.
    above_NK = scores_NK >= threshold_K - 1e-6
    confident_N = above_NK.any(axis=1)
    likely_N = np.where(confident_N, np.where(above_NK, scores_NK, -1).argmax(axis=1), given_N)
    others_NK = scores_NK.copy()
    others_NK[rows, given_N] = -1
    margin_N = own_N - others_NK.max(axis=1)
    joint_KK = np.zeros((classes, classes))
    np.add.at(joint_KK, (given_N[confident_N], likely_N[confident_N]), 1)
    # Each row is scaled to the number of clips with that label.
    rows_K1 = joint_KK.sum(axis=1, keepdims=True)
    joint_KK = np.divide(joint_KK, rows_K1, out=np.eye(classes), where=rows_K1 > 0) * counts_K[:, None]
    # A label that the model itself finds most probable is no suspect.
    suspect_N = (likely_N != given_N) & (margin_N < 0)
    return Confident(suspect_N, likely_N, margin_N, float(joint_KK.sum() - np.trace(joint_KK)))


def find_suspects(run: RunFolder) -> SuspectResults:
    """Suspects among the test clips of all folds of a run that have ended; nothing is written.

    Raises UserError if no fold has ended, or predictions are missing or damaged.
    """
    results = run.require_results()
    tables = [read_fold_predictions(run, results, fold) for fold in results.done]
    truth_NK = np.concatenate([table.truth_NK for table in tables])
    scores_NK = np.concatenate([table.scores_NK for table in tables])
    rows = [(clip, int(fold)) for table in tables for clip, fold in zip(table.clips, table.folds_N, strict=True)]
    find = _several_labels if results.multi_label else _one_label
    estimated, found = find(rows, truth_NK, scores_NK, results.classes)
    return SuspectResults(
        schema_version=SCHEMA,
        version=__version__,
        clips=len(rows),
        folds=results.done,
        estimated_errors=estimated,
        suspects=sorted(found, key=lambda suspect: suspect.margin),
    )


def write_suspects(run: Path) -> SuspectResults:
    """Finds clips of a run whose label is probably wrong, and writes RUN/analysis/suspects.json.

    Raises UserError as `find_suspects` does, and if the folder is read-only.
    """
    found = find_suspects(RunFolder(run))
    try:
        write_json(run / FILE, found.as_json())
    except OSError as error:
        raise UserError(f"{run}: suspects cannot be written ({error.strerror or error})") from None
    return found


Rows = list[tuple[str, int]]
"""Clip and fold of each row of predictions."""


def _one_label(
    rows: Rows, truth_NK: np.ndarray, scores_NK: np.ndarray, classes: Sequence[str]
) -> tuple[float, list[Suspect]]:
    # Binary losses give scores that do not add up to 1.
    scores_NK = scores_NK / scores_NK.sum(axis=1, keepdims=True).clip(min=1e-12)
    given_N = truth_NK.argmax(axis=1)
    found = confident_learning(given_N, scores_NK)
    return found.estimated_errors, [
        _suspect(
            rows[n],
            (classes[int(given_N[n])], classes[int(found.likely_N[n])]),
            (scores_NK[n, given_N[n]], scores_NK[n, found.likely_N[n]]),
            found.margin_N[n],
        )
        for n in np.flatnonzero(found.suspect_N)
    ]


def _several_labels(
    rows: Rows, truth_NK: np.ndarray, scores_NK: np.ndarray, classes: Sequence[str]
) -> tuple[float, list[Suspect]]:
    """Each class by itself: is it there or not?"""
    estimated, suspects = 0.0, []
    for k in range(len(classes)):
        given_N = truth_NK[:, k].astype(int)
        both_N2 = np.stack([1 - scores_NK[:, k], scores_NK[:, k]], axis=1)
        found = confident_learning(given_N, both_N2)
        estimated += found.estimated_errors
        for n in np.flatnonzero(found.suspect_N):
            likely_K = truth_NK[n].copy()
            likely_K[k] = not likely_K[k]
            cells = (_cell(truth_NK[n], classes), _cell(likely_K, classes))
            both = (both_N2[n, given_N[n]], both_N2[n, found.likely_N[n]])
            suspects.append(_suspect(rows[n], cells, both, found.margin_N[n]))
    return estimated, suspects


def _cell(truth_K: np.ndarray, classes: Sequence[str]) -> str:
    return SEPARATOR.join(name for name, there in zip(classes, truth_K, strict=True) if there)


def _suspect(row: tuple[str, int], cells: tuple[str, str], scores: tuple[float, float], margin: float) -> Suspect:
    """`cells` and `scores`: of the given labels and of the likely ones."""
    return Suspect(
        clip=row[0],
        fold=row[1],
        given=cells[0],
        likely=cells[1],
        given_score=float(scores[0]),
        likely_score=float(scores[1]),
        margin=float(margin),
    )
