"""Calibration of models on clips they were not trained on; its effect is measured on yet other clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audiosurvey.artefact.calibration import (
    Calibration,
    Decisions,
    accepted,
    calibrate,
    with_thresholds,
)
from audiosurvey.artefact.temperature import Temperatures, tempered
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.table import truth
from audiosurvey.training.metrics import expected_calibration_error
from audiosurvey.training.sound_scores import ScoredWindows

Scored = tuple[ScoredWindows, np.ndarray]
"""Scores of N clips with their windows, and their labels (N, K)."""


@dataclass(frozen=True)
class HeldOut:
    """Scores of a fold's test clips, and of sounds of no class that were held out with them, by the fold's model."""

    clips: Scored
    others: ScoredWindows | None = None
    as_whole: bool = False
    """Of long clips, the scores as a whole stand for those of their windows."""


def calibrate_fold(
    split: Split,
    test: ScoredWindows,
    validation: ScoredWindows | None,
    labels: Sequence[str],
    *,
    binary: bool,
    multi_label: bool,
    others: tuple[ScoredWindows | None, ScoredWindows | None] = (None, None),
) -> Calibration:
    """Calibration of a fold model: fitted on the validation clips, if any, and measured on the test clips.

    `others`: scores of the sounds of no class that were held out for validation, and for the test.
    """
    fitted = Calibration()
    if validation is not None:
        known_NK = truth(split.validation, len(labels))
        fitted = calibrate(
            validation,
            known_NK,
            labels,
            binary=binary,
            multi_label=multi_label,
            fitted_on=_validation(split),
            others=others[0],
        )
    tested = HeldOut((test, truth(split.test, len(labels))), others[1])
    return _measured(fitted, [(tested, fitted)], labels, binary, multi_label, _held_out(tested, split.fold))


def thresholds_out_of_fold(
    folds: Mapping[int, HeldOut], fold: int, labels: Sequence[str], *, binary: bool, multi_label: bool
) -> Calibration | None:
    """Thresholds of a fold's model, chosen on the scores of the other folds' models for their test clips.

    The clips of the fold take no part in the choice; what the thresholds are worth is measured on them. The temperature
    stays 1, so that the scores remain those of predictions.csv. None without another fold.
    """
    others = {number: held_out for number, held_out in folds.items() if number != fold}
    if not others:
        return None
    (scored, truth_NK), rejected, heard = _pooled(others)
    found = with_thresholds(scored, truth_NK, labels, Temperatures(binary), multi_label=multi_label, others=rejected)
    found = replace(found, folds=tuple(others), thresholds_on=heard)
    return _measured(found, [(folds[fold], found)], labels, binary, multi_label, _held_out(folds[fold], fold))


def calibrate_final(
    folds: Mapping[int, HeldOut], labels: Sequence[str], *, binary: bool, multi_label: bool
) -> Calibration:
    """Calibration of a model trained on all folds: fitted on the scores of the fold models for their test clips.

    `folds`: by number. The error is measured fold by fold, with the temperatures of the other folds; with a single fold
    it can only be measured on the clips of the fit.
    """
    fitted = _fitted(folds, labels, binary=binary, multi_label=multi_label)
    if len(folds) == 1:
        (alone,) = folds.values()
        parts, measured_on = [(alone, fitted)], f"the same {len(alone.clips[0])} clips"
    else:
        parts = [(folds[fold], _of_the_others(folds, fold, labels, binary, multi_label)) for fold in folds]
        measured_on = "the same clips, each fold with the temperature that fits the other folds"
    return _measured(fitted, parts, labels, binary, multi_label, measured_on)


def _measured(
    fitted: Calibration,
    parts: Sequence[tuple[HeldOut, Calibration]],
    labels: Sequence[str],
    binary: bool,
    multi_label: bool,
    measured_on: str,
) -> Calibration:
    """`fitted` with errors and decisions, each part calibrated by its own calibration."""
    errors = _errors([(held_out.clips, by.temperatures(binary)) for held_out, by in parts])
    decisions = None if multi_label or not fitted.thresholds else _decisions(parts, labels, binary)
    return replace(fitted, **errors, decisions=decisions, measured_on=measured_on)


def _held_out(tested: HeldOut, fold: int) -> str:
    return f"the {len(tested.clips[0])} clips of fold {fold}, which was held out"


def _decisions(parts: Sequence[tuple[HeldOut, Calibration]], labels: Sequence[str], binary: bool) -> Decisions:
    """What the thresholds of each part do to its clips, of exclusive classes, and to sounds of no class."""

    def answered(scored: ScoredWindows, by: Calibration) -> np.ndarray:
        return accepted(scored, labels, by.temperatures(binary), by.own_thresholds())

    kept_N = np.concatenate([answered(part.clips[0], by) for part, by in parts])
    right_N = np.concatenate(
        [part.clips[0].sounds_NK.argmax(axis=1) == part.clips[1].argmax(axis=1) for part, _ in parts]
    )
    found = Decisions(len(kept_N), float(kept_N.mean()), float(right_N[kept_N].mean()) if kept_N.any() else None)
    others = [answered(part.others, by) for part, by in parts if part.others is not None]
    if not others:
        return found
    accepted_M = np.concatenate(others)
    return replace(found, others=len(accepted_M), others_unknown=float((~accepted_M).mean()))


def _fitted(folds: Mapping[int, HeldOut], labels: Sequence[str], *, binary: bool, multi_label: bool) -> Calibration:
    """Fitted on the scores of these folds' models for the clips that they were not trained on."""
    (scored, truth_NK), others, heard = _pooled(folds)
    return calibrate(scored, truth_NK, labels, binary=binary, multi_label=multi_label, fitted_on=heard, others=others)


def _pooled(folds: Mapping[int, HeldOut]) -> tuple[Scored, ScoredWindows | None, str]:
    """The clips of all folds and their sounds of no class, and what they are, in words."""
    clips = _joined([held_out.clips for held_out in folds.values()])
    found = [held_out.others for held_out in folds.values() if held_out.others is not None]
    numbers = ", ".join(map(str, folds))
    heard = f"the {len(clips[0])} clips of fold{'s' if len(folds) > 1 else ''} {numbers}"
    heard += ", as scored by models that were not trained on them"
    if any(held_out.as_whole for held_out in folds.values()):
        heard += "; for long clips only the scores of whole clips, because the fold models were not kept"
    return clips, ScoredWindows.join(found) if found else None, heard


def _errors(parts: Sequence[tuple[Scored, Temperatures]]) -> dict[str, Any]:
    """Calibration errors over all clips, each part calibrated by its own temperatures."""
    (scored, truth_NK), binary = _joined([part for part, _ in parts]), parts[0][1].binary
    after_NK = np.concatenate([by.apply_all(part) for (part, _), by in parts])
    errors = {
        "error_before": expected_calibration_error(scored.sounds_NK, truth_NK, binary),
        "error_after": expected_calibration_error(after_NK, truth_NK, binary),
    }
    if (scored.counts_N == 1).all():
        return errors
    of_windows_WK = truth_NK[scored.rows_W]
    after_WK = np.concatenate([tempered(part.scores_WK, by.window, binary) for (part, _), by in parts])
    return errors | {
        "window_error_before": expected_calibration_error(scored.scores_WK, of_windows_WK, binary),
        "window_error_after": expected_calibration_error(after_WK, of_windows_WK, binary),
    }


def _of_the_others(
    folds: Mapping[int, HeldOut], fold: int, labels: Sequence[str], binary: bool, multi_label: bool
) -> Calibration:
    others = {number: held_out for number, held_out in folds.items() if number != fold}
    return _fitted(others, labels, binary=binary, multi_label=multi_label)


def _joined(parts: Sequence[Scored]) -> Scored:
    return ScoredWindows.join(scored for scored, _ in parts), np.concatenate([true for _, true in parts])


def _validation(split: Split) -> str:
    folds = sorted({clip.fold for clip in split.validation if clip.fold is not None})
    where = f"of fold {folds[0]}" if folds else "marked val"
    return f"the {len(split.validation)} clips {where}, held out for validation"
