"""How well a model tells sounds of its classes from sounds of no class: the form of `other` in results.json."""

import math
from collections.abc import Sequence

import numpy as np

from audiosurvey.data.other.reading import is_made
from audiosurvey.data.table import Clip
from audiosurvey.runs.results.stored import StoredPart
from audiosurvey.training.metrics import mean_and_std

KEPT = 0.95
"""Share of the sounds of the classes that are kept where false alarms are counted."""


class OtherScores(StoredPart):
    """Held-out sounds of no class against the test clips of a fold, by the best score of each."""

    clips: int
    """Recorded sounds of no class."""
    auroc: float | None = None
    """Probability that a test clip has a higher best score than a recorded sound of no class."""
    false_alarms: float | None = None
    """Share of these sounds that are accepted by the threshold that keeps 95 % of the test clips."""
    made: int = 0
    """Made sounds."""
    made_false_alarms: float | None = None
    """Share of the made sounds that are accepted by this threshold."""
    unknown: float | None = None
    """Share of the recorded sounds that the model's own thresholds make `unknown`; with `evaluate` only, as a fold's
    model has its thresholds after other folds have ended."""
    made_unknown: float | None = None
    """That of the made sounds."""
    clips_unknown: float | None = None
    """That of the test clips."""


class OtherSummary(StoredPart):
    """Mean and sample standard deviation over the folds that have such sounds."""

    mean: dict[str, float | None]
    std: dict[str, float | None]


OTHER_TITLES = {
    "auroc": "AUROC",
    "false_alarms": "accepted",
    "made_false_alarms": "made accepted",
    "unknown": "unknown",
    "made_unknown": "made unknown",
    "clips_unknown": "clips unknown",
}
"""What is averaged over folds, with titles for tables. Accepted: by the threshold that keeps 95 % of the test clips."""


OTHER_COUNTS = {"clips": "sounds", "made": "made"}
"""Numbers of recorded and made sounds, with titles for tables."""


def separation(known_N: np.ndarray, recorded_N: np.ndarray, made_N: np.ndarray) -> OtherScores | None:
    """From the best scores of test clips with a label, and of recorded and made sounds of no class; None without any
    of the latter."""
    if not len(recorded_N) and not len(made_N):
        return None
    found = OtherScores(clips=len(recorded_N), made=len(made_N))
    if not len(known_N):
        return found
    # The highest threshold that keeps this share: the score of a clip.
    threshold = np.sort(known_N)[math.floor(len(known_N) * (1 - KEPT) + 1e-9)]
    if len(made_N):
        found = found.changed(made_false_alarms=float((made_N >= threshold).mean()))
    if not len(recorded_N):
        return found
    from sklearn.metrics import roc_auc_score

    truth_N = np.concatenate([np.ones(len(known_N)), np.zeros(len(recorded_N))])
    auroc = float(roc_auc_score(truth_N, np.concatenate([known_N, recorded_N])))
    return found.changed(auroc=auroc, false_alarms=float((recorded_N >= threshold).mean()))


def other_scores(
    clips: Sequence[Clip], scores_NK: np.ndarray, others: Sequence[Clip], other_scores_MK: np.ndarray
) -> OtherScores | None:
    """From the test clips and the sounds of no class with their scores."""
    labelled = [bool(clip.labels) for clip in clips]
    made = np.array([is_made(clip.id) for clip in others], dtype=bool)
    best_M = other_scores_MK.max(axis=1)
    return separation(scores_NK.max(axis=1)[labelled], best_M[~made], best_M[made])


def summary(rows: Sequence[OtherScores | None]) -> OtherSummary | None:
    """Over the folds; None if no fold has such sounds."""
    found = [row.as_json() for row in rows if row is not None]
    if not found:
        return None
    mean, std = mean_and_std(found, [name for name in OTHER_TITLES if any(name in row for row in found)])
    return OtherSummary(mean=mean, std=std)
