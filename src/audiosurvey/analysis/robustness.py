"""Robustness of a run: the model of each fold on corrupted clips of its own test fold.

Clips come from the store and are corrupted as they are scored. Each fold is written when it has ended; folds that are
there for the same model and the same corruptions are not measured again.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from audiosurvey.analysis.corruptions import SUITE, Corruption, Scene, corruptions, fitted
from audiosurvey.analysis.robustness_results import (
    FILE,
    Cell,
    CorruptionScores,
    FoldRobustness,
    RobustnessResults,
    averaged,
    compare_with,
    make_cell,
    not_measured,
    read_robustness,
    standard_error,
)
from audiosurvey.artefact.calibration import expected_error
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Clip, truth
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.randomness import stream
from audiosurvey.runs.evaluation.conditions import score_changed
from audiosurvey.runs.evaluation.heldout import FoldModel, open_run
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import write_json
from audiosurvey.training.metrics import accuracy, mean_average_precision
from audiosurvey.version import __version__


def measure_robustness(
    path: Path,
    folds: Sequence[int] | None = None,
    *,
    baseline: Path | None = None,
    device: str = "auto",
    fresh: bool = False,
    bar: OpenBar = no_bar,
) -> RobustnessResults:
    """Measures the fold models of a run on corrupted clips of their test folds.

    The folds that have ended, or these `folds`; `analysis/robustness.json` is written after each.

    The results are those of all folds that were measured, now or before; with `fresh` only of those measured now.
    `baseline`: a run whose robustness was measured on these folds too. Raises UserError as `evaluate_run` does, for a
    fold without a model, and if the folder is read-only.
    """
    run = RunFolder(path)
    trained = _trained(run)
    asked = _asked(run, trained, folds)
    done = {} if fresh else _measured_before(run, trained)
    about = {
        "version": __version__,
        "suite": SUITE,
        "data_hash": trained.dataset.hash,
        "metric": "map" if trained.multi_label else "accuracy",
    }
    suite, moved = corruptions(), 0
    passes = 1 + sum(len(one.levels) for one in suite)
    total = passes * sum(row.clips for row in trained.folds if row.fold in asked and row.fold not in done)
    if baseline is not None and read_robustness(baseline) is None:
        raise not_measured(baseline)
    with bar("corrupted test clips") as advance:

        def move(clips: int) -> None:
            nonlocal moved
            moved += clips
            if advance:
                advance(moved, total)

        for fold in open_run(run).models(asked):
            digest = fold.model.facts["sha256"]["weights.safetensors"]
            if fold.row.fold in done and done[fold.row.fold].model == digest:
                continue
            done[fold.row.fold] = _of_fold(fold, suite, device, digest, move)
            _write(run, averaged(about, list(done.values())))
    results = averaged(about, list(done.values()))
    if baseline is not None:
        results = results.changed(baseline=compare_with(results, baseline))
    _write(run, results)
    return results


def _trained(run: RunFolder) -> RunResults:
    found = run.read_results()
    if found is None or not found.folds:
        raise UserError(f"{run.path}: no fold has ended yet; go on with 'audiosurvey train --resume'")
    return found


def _asked(run: RunFolder, trained: RunResults, folds: Sequence[int] | None) -> list[int]:
    for fold in folds or ():
        if fold not in trained.done:
            there = ", ".join(map(str, trained.done))
            raise ArgumentError(f"{{folds}}: {run.path} has no such fold that has ended; there are {there}", folds=fold)
    asked = sorted(set(folds or trained.done))
    for fold in asked:
        if not (run.fold(fold) / "model" / "model.json").is_file():
            raise ArgumentError(
                f"{run.fold(fold)}: its model was not kept; leave the fold out with {{folds}}, or train the run again "
                "(in a survey: with keep: model)",
                folds=...,
            )
    return asked


def _measured_before(run: RunFolder, trained: RunResults) -> dict[int, FoldRobustness]:
    before = read_robustness(run.path)
    if before is None or (before.suite, before.data_hash) != (SUITE, trained.dataset.hash):
        return {}
    wanted = {one.name for one in corruptions()}
    same = [fold for fold in before.folds if {row.name for row in fold.corruptions} == wanted]
    return {fold.fold: fold for fold in same if fold.fold in trained.done}


def _write(run: RunFolder, results: RobustnessResults) -> None:
    try:
        write_json(run.path / FILE, results.as_json())
    except OSError as error:
        raise UserError(f"{run.path}: robustness cannot be written ({error.strerror or error})") from None


def _of_fold(
    fold: FoldModel, suite: Sequence[Corruption], device: str, digest: str, move: Callable[[int], None]
) -> FoldRobustness:
    began = time.monotonic()
    fold.model.to(device)
    clean = _cell(fold, 0, None, lambda wave_S, clip: wave_S, None, move)
    rows = [
        CorruptionScores(
            name=one.name,
            title=one.title,
            quantity=one.quantity,
            in_mean=one.in_mean,
            cells=[
                _cell(fold, place + 1, level, corrupting(one, level, fold), clean.score, move)
                for place, level in enumerate(map(float, one.levels))
            ],
        )
        for one in suite
    ]
    fold.model.to("cpu")
    return FoldRobustness(
        fold=fold.row.fold,
        clips=len(fold.clips),
        model=digest,
        seconds=round(time.monotonic() - began, 3),
        clean=clean,
        corruptions=rows,
    )


def corrupting(one: Corruption, level: float, fold: FoldModel) -> Callable[[np.ndarray, Clip], np.ndarray]:
    """The corruption at a level, as a function of a test clip's wave (S) and the clip."""
    store, training = fold.sounds.store, fold.split.train

    def change(wave_S: np.ndarray, clip: Clip) -> np.ndarray:
        def other() -> np.ndarray | None:
            return other_class(clip, training, store, len(wave_S))

        scene = Scene(store.sample_rate, stream("robustness", one.name, clip.id), other)
        return one.corrupt(wave_S, level, scene)

    return change


def other_class(clip: Clip, training: Sequence[Clip], store: Store, samples: int) -> np.ndarray | None:
    """A training clip that shares no label with `clip`, drawn by its id, repeated or cut to `samples`.

    None if there is none that is not silent.
    """
    others = [one for one in training if not set(one.labels) & set(clip.labels)]
    for place in stream("robustness", "partner", clip.id).permutation(len(others)):
        wave_S = fitted(store.read(others[place].id), samples)
        if np.any(wave_S):
            return wave_S
    return None


def _cell(
    fold: FoldModel,
    severity: int,
    level: float | None,
    change: Callable[[np.ndarray, Clip], np.ndarray],
    clean: float | None,
    move: Callable[[int], None],
) -> Cell:
    model, several = fold.model, fold.sounds.table.multi_label
    truth_NK = truth(fold.clips, len(model.labels))
    scores_NK = score_changed(model, fold.sounds.store, fold.clips, change, move)
    score = mean_average_precision(scores_NK, truth_NK) if several else accuracy(scores_NK, truth_NK.argmax(axis=1))
    cell = make_cell(severity, level, score, expected_error(scores_NK, truth_NK, model.loss.binary), clean=clean)
    return cell if several else cell.changed(standard_error=standard_error(score, len(fold.clips)))
