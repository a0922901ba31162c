"""Which clips a model is calibrated on: none that it was trained on, and others again to measure the effect by."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from audiosurvey.data.folds import Split
from audiosurvey.deploy.calibration import Calibration, calibrate, expected_error, fit_temperature, tempered
from audiosurvey.evaluation.scores import truth

Scored = tuple[np.ndarray, np.ndarray]
"""Scores (N, K) of clips, and what is true of them (N, K)."""


def calibrate_fold(
    split: Split, scores_NK: np.ndarray, validation_NK: np.ndarray | None, labels: Sequence[str], binary: bool
) -> Calibration:
    """Of a fold's model: fitted on the validation fold, where there is one, and measured on the test fold.

    `scores_NK`: of the tested clips; `validation_NK`: of those that the epoch was chosen by, None where there are none.
    """
    truth_NK = truth(split.test, len(labels))
    before = expected_error(scores_NK, truth_NK, binary)
    measured_on = f"the {len(scores_NK)} clips of fold {split.fold}, which was held out"
    fitted = Calibration()
    after = before
    if validation_NK is not None:
        known_NK = truth(split.validation, len(labels))
        fitted = calibrate(validation_NK, known_NK, labels, binary, _validation(split))
        after = expected_error(tempered(scores_NK, fitted.temperature, binary), truth_NK, binary)
    return replace(fitted, error_before=before, error_after=after, measured_on=measured_on)


def calibrate_final(folds: Mapping[int, Scored], labels: Sequence[str], binary: bool) -> Calibration:
    """Of a model trained on all folds: fitted on what the folds' models said of the clips that they had not heard.

    `folds`: by number of the fold. The error is measured fold by fold, with the temperature of the others; of a single
    fold it can only be measured on the clips of the fit, and that is said.
    """
    scores_NK = np.concatenate([scored for scored, _ in folds.values()])
    truth_NK = np.concatenate([true for _, true in folds.values()])
    numbers = ", ".join(map(str, folds))
    heard = f"the {len(scores_NK)} clips of fold{'s' if len(folds) > 1 else ''} {numbers}"
    fitted = calibrate(scores_NK, truth_NK, labels, binary, f"{heard}, as scored by models that had not heard them")
    if len(folds) == 1:
        after_NK, measured_on = tempered(scores_NK, fitted.temperature, binary), f"the same {len(scores_NK)} clips"
    else:
        after_NK = np.concatenate([_by_the_others(folds, fold, binary) for fold in folds])
        measured_on = "the same clips, each fold with the temperature that fits the other folds"
    return replace(
        fitted,
        error_before=expected_error(scores_NK, truth_NK, binary),
        error_after=expected_error(after_NK, truth_NK, binary),
        measured_on=measured_on,
    )


def _by_the_others(folds: Mapping[int, Scored], fold: int, binary: bool) -> np.ndarray:
    others = [scored for number, scored in folds.items() if number != fold]
    scores_NK, truth_NK = (np.concatenate(arrays) for arrays in zip(*others, strict=True))
    return tempered(folds[fold][0], fit_temperature(scores_NK, truth_NK, binary), binary)


def _validation(split: Split) -> str:
    folds = sorted({clip.fold for clip in split.validation if clip.fold is not None})
    where = f"of fold {folds[0]}" if folds else "marked val"
    return f"the {len(split.validation)} clips {where}, held out for validation"
