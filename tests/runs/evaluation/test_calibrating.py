"""Who is calibrated on what: nothing that was trained on, and the error on other clips where there are any."""

from pathlib import Path

import numpy as np
import pytest

from audiosurvey.artefact.calibration import fit_temperature
from audiosurvey.artefact.temperature import tempered
from audiosurvey.artefact.thresholds import choose_thresholds
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.table import Clip
from audiosurvey.runs.evaluation.calibrating import HeldOut, calibrate_final, calibrate_fold, thresholds_out_of_fold
from audiosurvey.training.metrics import expected_calibration_error
from audiosurvey.training.sound_scores import ScoredWindows

LABELS = ["a", "b", "c"]
KIND = {"binary": False, "multi_label": False}
single = ScoredWindows.single


def clips(labels: np.ndarray, fold: int | None = None, side=None) -> tuple[Clip, ...]:
    return tuple(Clip(f"{fold}-{n}", Path(f"{n}"), (int(k),), fold=fold, side=side) for n, k in enumerate(labels))


def overconfident(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of logits three times too large, and the classes that were drawn."""
    z_NK = rng.standard_normal((count, 3))
    p_NK = np.exp(z_NK) / np.exp(z_NK).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=p) for p in p_NK])
    return tempered(p_NK, 1 / 3, False).astype(np.float32), labels


def test_a_fold_without_validation_clips_is_left_as_it_is():
    said_NK, labels = overconfident(np.random.default_rng(0), 200)
    given = calibrate_fold(Split(4, (), (), clips(labels, 4)), single(said_NK), None, LABELS, **KIND)
    assert (given.temperature, given.fitted_on, given.thresholds) == (1.0, None, None)
    assert given.error_before == given.error_after == expected_calibration_error(said_NK, np.eye(3)[labels], False)
    assert given.measured_on == "the 200 clips of fold 4, which was held out"


def test_a_fold_is_fitted_on_its_validation_clips_and_measured_on_its_test_clips():
    rng = np.random.default_rng(1)
    test_NK, test = overconfident(rng, 900)
    validation_NK, validation = overconfident(rng, 600)
    split = Split(1, (), clips(validation, 2), clips(test, 1))
    given = calibrate_fold(split, single(test_NK), single(validation_NK), LABELS, **KIND)
    assert given.temperature == fit_temperature(validation_NK, np.eye(3)[validation], False)
    assert given.temperature == pytest.approx(3, rel=0.2)
    assert given.fitted_on == "the 600 clips of fold 2, held out for validation"
    assert given.error_before == expected_calibration_error(test_NK, np.eye(3)[test], False)
    after_NK = tempered(test_NK, given.temperature, False)
    assert given.error_after == expected_calibration_error(after_NK, np.eye(3)[test], False)
    assert given.error_after is not None
    assert given.error_before is not None
    assert given.error_after < given.error_before / 2
    assert set(given.thresholds or {}) == set(LABELS)


def test_validation_clips_of_a_split_column_are_named_by_their_mark():
    said_NK, labels = overconfident(np.random.default_rng(2), 30)
    split = Split(1, (), clips(labels, side="val"), clips(labels, side="test"))
    given = calibrate_fold(split, single(said_NK), single(said_NK), LABELS, **KIND)
    assert given.fitted_on == "the 30 clips marked val, held out for validation"


def test_a_final_model_is_fitted_on_all_folds_and_measured_fold_by_fold():
    rng = np.random.default_rng(3)
    folds = {}
    for fold in (1, 2, 5):
        said_NK, labels = overconfident(rng, 300)
        folds[fold] = (said_NK, np.eye(3)[labels])
    given = calibrate_final(
        {fold: HeldOut((single(said), true)) for fold, (said, true) in folds.items()}, LABELS, **KIND
    )
    all_NK, true_NK = (np.concatenate(arrays) for arrays in zip(*folds.values(), strict=True))
    assert given.temperature == fit_temperature(all_NK, true_NK, False)
    assert given.fitted_on == "the 900 clips of folds 1, 2, 5, as scored by models that were not trained on them"
    after = []
    for fold, (said_NK, _) in folds.items():
        others = [folds[other] for other in folds if other != fold]
        others_NK, known_NK = (np.concatenate(arrays) for arrays in zip(*others, strict=True))
        after.append(tempered(said_NK, fit_temperature(others_NK, known_NK, False), False))
    assert given.error_after == pytest.approx(expected_calibration_error(np.concatenate(after), true_NK, False))
    assert given.error_before is not None
    assert given.error_after is not None
    assert given.error_after < given.error_before / 2
    assert "the temperature that fits the other folds" in (given.measured_on or "")


def test_of_a_single_fold_it_is_said_that_nothing_else_was_there_to_measure():
    said_NK, labels = overconfident(np.random.default_rng(4), 100)
    given = calibrate_final({3: HeldOut((single(said_NK), np.eye(3)[labels]))}, LABELS, **KIND)
    assert given.fitted_on == "the 100 clips of fold 3, as scored by models that were not trained on them"
    assert given.measured_on == "the same 100 clips"


def test_thresholds_of_a_fold_come_from_the_others_and_its_scores_stay_as_they_are():
    rng = np.random.default_rng(5)
    folds = {}
    for fold in (1, 2, 3):
        said_NK, labels = overconfident(rng, 200)
        folds[fold] = HeldOut((single(said_NK), np.eye(3)[labels]), single(overconfident(rng, 50)[0]))
    given = thresholds_out_of_fold(folds, 2, LABELS, **KIND)
    assert given is not None
    assert (given.temperature, given.fitted_on, given.folds) == (1.0, None, (1, 3))
    assert given.thresholds_on == "the 400 clips of folds 1, 3, as scored by models that were not trained on them"
    scores_NK = np.concatenate([part.sounds_NK for n in (1, 3) for part in (folds[n].clips[0],)])
    truth_NK = np.concatenate([folds[n].clips[1] for n in (1, 3)])
    others_NK = np.concatenate([folds[n].others.sounds_NK for n in (1, 3)])
    joined_NK = np.concatenate([scores_NK, others_NK]).astype(np.float64)
    wanted = choose_thresholds(joined_NK, np.concatenate([truth_NK, np.zeros((100, 3))]), LABELS, multi_label=False)
    assert given.thresholds == wanted
    best_N = folds[2].clips[0].sounds_NK.argmax(axis=1)
    top_N = folds[2].clips[0].sounds_NK.max(axis=1)
    kept_N = [score >= wanted[LABELS[k]] for score, k in zip(top_N, best_N, strict=True)]
    assert given.decisions is not None
    assert given.decisions.answered == pytest.approx(np.mean(kept_N))
    right_N = best_N == folds[2].clips[1].argmax(axis=1)
    assert given.decisions.right == pytest.approx(np.mean(right_N[kept_N]))
    rejected = folds[2].others.sounds_NK
    lost = [score < wanted[LABELS[k]] for score, k in zip(rejected.max(axis=1), rejected.argmax(axis=1), strict=True)]
    assert (given.decisions.others, given.decisions.others_unknown) == (50, pytest.approx(np.mean(lost)))
    assert thresholds_out_of_fold({2: folds[2]}, 2, LABELS, **KIND) is None
