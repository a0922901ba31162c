"""Scores of clips by models that were not trained on them, and thresholds of the folds' models from these.

The models of the folds have no clips of their own to choose thresholds on. Once several folds have ended, those of a
fold's model are chosen on the test clips of the others, each scored by the model of its fold; its own test clips take
no part.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audiosurvey.artefact.folder import load_artefact, read_facts, store_calibration
from audiosurvey.data.other.others import OtherSplit
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip, truth
from audiosurvey.errors import UserError
from audiosurvey.runs.evaluation.calibrating import HeldOut, thresholds_out_of_fold
from audiosurvey.runs.evaluation.heldout import fold_split
from audiosurvey.runs.evaluation.model_scores import score_with
from audiosurvey.runs.results.fold_predictions import FILE, OTHER_FILE
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.runs.stages.context import RunContext
from audiosurvey.training.loss import Loss
from audiosurvey.training.sound_scores import ScoredWindows


def held_out_scores(context: RunContext, fold: int) -> HeldOut:
    """Scores of a fold's test clips by its own model, and their labels, and of sounds of no class held out with them.

    The files of predictions have them if each clip is one window; otherwise the clips are scored again, for the scores
    of their windows are not stored. Without a model of the fold, the scores of whole clips stand for those of their
    windows. Raises UserError for files that are missing or damaged.
    """
    sounds, run = context.sounds, context.run
    split = fold_split(context.config, sounds.table, fold)
    others = sounds.others.split(split) if sounds.others else OtherSplit()
    mend = run.mend_fold(fold)
    classes = len(sounds.table.classes)
    clips, scores_NK = _read(run.fold(fold) / FILE, split.test, classes, f"test clips of fold {fold}", mend)
    truth_NK = truth(clips, classes)
    rejected, other_NK = others.test, None
    if others.test:
        what = f"sounds of no class that are held out in fold {fold}"
        rejected, other_NK = _read(run.fold(fold) / OTHER_FILE, others.test, classes, what, mend)
    model, device = run.fold(fold) / "model", str(context.accelerator.device)
    loaded = load_artefact(model) if model.is_dir() and _several(sounds, (*clips, *rejected)) else None
    known, other = ScoredWindows.single(scores_NK), None if other_NK is None else ScoredWindows.single(other_NK)
    if loaded is not None and _several(sounds, clips):
        known = score_with(loaded, sounds, clips, device)
    if loaded is not None and _several(sounds, rejected):
        other = score_with(loaded, sounds, rejected, device)
    return HeldOut((known, truth_NK), other, as_whole=loaded is None and _several(sounds, clips))


def _several(sounds: Sounds, clips: Sequence[Clip]) -> bool:
    """Whether one of these clips has several windows."""
    return any(sounds.store.length(clip.id) > sounds.window_samples for clip in clips)


def choose_fold_thresholds(context: RunContext, folds: Sequence[int]) -> None:
    """Chooses thresholds for the models of these folds, which have ended, on each other's test clips, and stores them.

    Models that were calibrated on their validation clips stay as they are, as do those whose thresholds are of these
    folds already. Called in the main process.
    """
    models = {fold: context.run.fold(fold) / "model" for fold in folds}
    stale = [fold for fold, place in models.items() if place.is_dir() and _is_stale(place, fold, folds)]
    if len(folds) < 2 or not stale:
        return
    scored = {fold: held_out_scores(context, fold) for fold in folds}
    table = context.sounds.table
    binary = Loss(context.config.loss, table.multi_label).binary
    for fold in stale:
        found = thresholds_out_of_fold(scored, fold, table.classes, binary=binary, multi_label=table.multi_label)
        if found is not None:
            store_calibration(models[fold], found)


def _is_stale(model: Path, fold: int, folds: Sequence[int]) -> bool:
    """Whether the thresholds of a model are to come from the other folds, and do not come from exactly these."""
    calibration = read_facts(model).get("calibration", {})
    on_folds = calibration.get("folds", [])
    fitted_otherwise = calibration.get("fitted_on") is not None and not on_folds
    return not fitted_otherwise and on_folds != [other for other in folds if other != fold]


def _read(
    path: Path, expected: Sequence[Clip], classes: int, what: str, mend: str
) -> tuple[tuple[Clip, ...], np.ndarray]:
    """The clips of a file of predictions in its order, and their scores (N, K)."""
    by_id = {clip.id: clip for clip in expected}
    try:
        ids, _, scores_NK = read_predictions(path)
    except (OSError, ValueError):
        raise UserError(f"{path}: missing or damaged; {mend}") from None
    if scores_NK.shape != (len(ids), classes) or not np.isfinite(scores_NK).all():
        raise UserError(f"{path}: damaged, not a score for each class in each row; {mend}")
    if sorted(ids) != sorted(by_id):
        raise UserError(f"{path}: damaged, its rows are not the {len(by_id)} {what}; {mend}")
    return tuple(by_id[clip] for clip in ids), scores_NK
