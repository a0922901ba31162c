"""Calibration of models on clips they were not trained on; its effect is measured on yet other clips."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from audiosurvey.artefact.calibration import Calibration, calibrate, expected_error, fit_temperatures
from audiosurvey.artefact.temperature import Temperatures, tempered
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.table import truth
from audiosurvey.training.sound_scores import ScoredWindows

Scored = tuple[ScoredWindows, np.ndarray]
"""Scores of N clips with their windows, and their labels (N, K)."""


def calibrate_fold(
    split: Split,
    test: ScoredWindows,
    validation: ScoredWindows | None,
    labels: Sequence[str],
    *,
    binary: bool,
    multi_label: bool,
) -> Calibration:
    """Calibration of a fold model: fitted on the validation clips, if any, and measured on the test clips."""
    fitted = Calibration()
    if validation is not None:
        known_NK = truth(split.validation, len(labels))
        fitted = calibrate(
            validation, known_NK, labels, binary=binary, multi_label=multi_label, fitted_on=_validation(split)
        )
    truth_NK = truth(split.test, len(labels))
    measured = _errors([((test, truth_NK), fitted.temperatures(binary))])
    return replace(fitted, **measured, measured_on=f"the {len(test)} clips of fold {split.fold}, which was held out")


def calibrate_final(
    folds: Mapping[int, Scored], labels: Sequence[str], *, binary: bool, multi_label: bool
) -> Calibration:
    """Calibration of a model trained on all folds: fitted on the scores of the fold models for their test clips.

    `folds`: by number. The error is measured fold by fold, with the temperatures of the other folds; with a single fold
    it can only be measured on the clips of the fit.
    """
    scored, truth_NK = _joined(list(folds.values()))
    numbers = ", ".join(map(str, folds))
    heard = f"the {len(scored)} clips of fold{'s' if len(folds) > 1 else ''} {numbers}"
    fitted_on = f"{heard}, as scored by models that were not trained on them"
    fitted = calibrate(scored, truth_NK, labels, binary=binary, multi_label=multi_label, fitted_on=fitted_on)
    if len(folds) == 1:
        parts, measured_on = [((scored, truth_NK), fitted.temperatures(binary))], f"the same {len(scored)} clips"
    else:
        parts = [(folds[fold], _of_the_others(folds, fold, binary)) for fold in folds]
        measured_on = "the same clips, each fold with the temperature that fits the other folds"
    return replace(fitted, **_errors(parts), measured_on=measured_on)


def _errors(parts: Sequence[tuple[Scored, Temperatures]]) -> dict[str, Any]:
    """Calibration errors over all clips, each part calibrated by its own temperatures."""
    (scored, truth_NK), binary = _joined([part for part, _ in parts]), parts[0][1].binary
    after_NK = np.concatenate([by.apply_all(part) for (part, _), by in parts])
    errors = {
        "error_before": expected_error(scored.sounds_NK, truth_NK, binary),
        "error_after": expected_error(after_NK, truth_NK, binary),
    }
    if (scored.counts_N == 1).all():
        return errors
    of_windows_WK = truth_NK[scored.rows_W]
    after_WK = np.concatenate([tempered(part.scores_WK, by.window, binary) for (part, _), by in parts])
    return errors | {
        "window_error_before": expected_error(scored.scores_WK, of_windows_WK, binary),
        "window_error_after": expected_error(after_WK, of_windows_WK, binary),
    }


def _of_the_others(folds: Mapping[int, Scored], fold: int, binary: bool) -> Temperatures:
    scored, truth_NK = _joined([part for number, part in folds.items() if number != fold])
    return fit_temperatures(scored, truth_NK, binary)


def _joined(parts: Sequence[Scored]) -> Scored:
    return ScoredWindows.join(scored for scored, _ in parts), np.concatenate([true for _, true in parts])


def _validation(split: Split) -> str:
    folds = sorted({clip.fold for clip in split.validation if clip.fold is not None})
    where = f"of fold {folds[0]}" if folds else "marked val"
    return f"the {len(split.validation)} clips {where}, held out for validation"
