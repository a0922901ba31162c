"""Robustness of a run: each fold model on corrupted clips of its own test fold.

Clips come from the store and are corrupted as they are scored. Each fold is written when it has ended; folds that are
there for the same model, data and corruptions are not measured again.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.analysis.corruptions import SUITE, Corruption, Scene, corruptions, fitted
from audiosurvey.analysis.measured_model import model_digest, still_has
from audiosurvey.analysis.robustness_results import (
    FILE,
    CorruptionScores,
    FoldRobustness,
    RobustnessResults,
    SeverityScore,
    averaged,
    compare_with,
    read_baseline,
    read_robustness,
    severity_score,
    standard_error,
)
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Clip, truth
from audiosurvey.errors import ArgumentError, not_written
from audiosurvey.randomness import stream
from audiosurvey.runs.evaluation.conditions import CLIPS_AT_ONCE, Change, score_changed
from audiosurvey.runs.evaluation.heldout import FoldModel, open_run
from audiosurvey.runs.listener import Advance, OpenBar, no_bar
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import write_json
from audiosurvey.training.class_metrics import mean_average_precision
from audiosurvey.training.metrics import accuracy, expected_calibration_error
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
    `baseline`: a run whose robustness was measured on these folds too. Without it, an earlier comparison is kept if its
    folds were not measured again. Raises UserError as `evaluate_run` does, for a fold without a model, for a baseline
    that cannot be compared, and if the folder is read-only; all of this before anything is measured.
    """
    run = RunFolder(path)
    trained = run.require_results()
    asked = _asked(run, trained, folds)
    before = None if fresh else read_robustness(run.path)
    done = {} if before is None else _still_valid(run, trained, before)
    left = [fold for fold in asked if fold not in done]
    about: dict[str, Any] = {
        "version": __version__,
        "suite": SUITE,
        "data_hash": trained.dataset.hash,
        "sample_rate": trained.dataset.sample_rate,
        "metric": "map" if trained.multi_label else "accuracy",
    }
    if baseline is not None:
        read_baseline(baseline, about, asked)
    about |= _kept(before, done)
    if left:
        _check_writable(run)
        with bar("corrupted test clips") as advance:
            move = _progress(trained, left, advance)
            for fold in open_run(run).models(left):
                done[fold.row.fold] = _of_fold(fold, corruptions(), device, move)
                _write(run, averaged(about, list(done.values())))
    results = averaged(about, list(done.values()))
    if baseline is not None:
        compared = averaged(about, [done[fold] for fold in asked])
        results = results.changed(baseline=compare_with(compared, baseline))
    if before is None or results.as_json() != before.as_json():
        _write(run, results)
    return results


def _asked(run: RunFolder, trained: RunResults, folds: Sequence[int] | None) -> list[int]:
    for fold in folds or ():
        if fold not in trained.done:
            there = ", ".join(map(str, trained.done))
            raise ArgumentError(f"{{folds}}: {run.path}: no finished fold {fold}; finished folds: {there}", folds=...)
    asked = sorted(set(folds or trained.done))
    for fold in asked:
        if model_digest(run, fold) is None:
            raise ArgumentError(
                f"{run.fold(fold)}: its model was not kept; leave the fold out with {{folds}}, or train the run again "
                "(in a survey: with keep: model)",
                folds=...,
            )
    return asked


def _still_valid(run: RunFolder, trained: RunResults, before: RobustnessResults) -> dict[int, FoldRobustness]:
    """The folds that were measured with these corruptions on this data, for the models that are there now."""
    if (before.suite, before.data_hash) != (SUITE, trained.dataset.hash):
        return {}
    wanted = {one.name for one in corruptions()}
    same = [fold for fold in before.folds if {row.name for row in fold.corruptions} == wanted]
    return {fold.fold: fold for fold in same if fold.fold in trained.done and still_has(run, fold.fold, fold.model)}


def _progress(trained: RunResults, folds: Sequence[int], advance: Advance | None) -> Callable[[int], None]:
    """Counts clips that were scored while these folds are measured."""
    passes = 1 + sum(len(one.levels) for one in corruptions())
    total = passes * sum(row.clips for row in trained.folds if row.fold in folds)
    moved = 0

    def move(clips: int) -> None:
        nonlocal moved
        moved += clips
        if advance:
            advance(moved, total)

    return move


def _kept(before: RobustnessResults | None, done: Mapping[int, FoldRobustness]) -> dict[str, Any]:
    """The earlier comparison with a baseline, if all folds that it compares are still valid."""
    found = None if before is None else before.baseline
    return {"baseline": found} if found is not None and found.folds and set(found.folds) <= done.keys() else {}


def _check_writable(run: RunFolder) -> None:
    path = run.path / FILE
    probe = path.with_name(path.name + ".tmp")
    with _writing(run):
        path.parent.mkdir(exist_ok=True)
        probe.touch()
        probe.unlink()


def _write(run: RunFolder, results: RobustnessResults) -> None:
    with _writing(run):
        write_json(run.path / FILE, results.as_json())


@contextmanager
def _writing(run: RunFolder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise not_written(error, f"{run.path}: robustness cannot be written ({error.strerror or error})") from None


def _of_fold(fold: FoldModel, suite: Sequence[Corruption], device: str, move: Callable[[int], None]) -> FoldRobustness:
    began = time.monotonic()
    fold.model.to(device)
    severities = range(max(len(one.levels) for one in suite))
    graded = [(one, place) for place in severities for one in suite if place < len(one.levels)]
    changes = [_unchanged, *(corrupting(one, float(one.levels[place]), fold) for one, place in graded)]
    clean_NK, *corrupted = _scored(fold, changes, move)
    scores = {(one.name, place): scores_NK for (one, place), scores_NK in zip(graded, corrupted, strict=True)}
    clean = _cell(fold, 0, None, clean_NK, None)
    rows = [
        CorruptionScores(
            name=one.name,
            title=one.title,
            quantity=one.quantity,
            in_mean=one.in_mean,
            cells=[
                _cell(fold, place + 1, level, scores[one.name, place], clean.score)
                for place, level in enumerate(map(float, one.levels))
            ],
        )
        for one in suite
    ]
    fold.model.to("cpu")
    return FoldRobustness(
        fold=fold.row.fold,
        clips=len(fold.clips),
        model=fold.model.facts["sha256"]["weights.safetensors"],
        seconds=round(time.monotonic() - began, 3),
        clean=clean,
        corruptions=rows,
    )


def _unchanged(wave_S: np.ndarray, clip: Clip) -> np.ndarray:
    return wave_S


def _scored(fold: FoldModel, changes: Sequence[Change], move: Callable[[int], None]) -> list[np.ndarray]:
    """Scores (N, K) of the test clips after each change.

    All changes of some clips, then of the next: the changes take very different times, and in this order the pace says
    how long the rest will take.
    """
    found: list[list[np.ndarray]] = [[] for _ in changes]
    for begin in range(0, len(fold.clips), CLIPS_AT_ONCE):
        part = fold.clips[begin : begin + CLIPS_AT_ONCE]
        for scores, change in zip(found, changes, strict=True):
            scores.append(score_changed(fold.model, fold.sounds.store, part, change, move))
    return [np.concatenate(scores) for scores in found]


def corrupting(one: Corruption, level: float, fold: FoldModel) -> Change:
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
    fold: FoldModel, severity: int, level: float | None, scores_NK: np.ndarray, clean: float | None
) -> SeverityScore:
    model, several = fold.model, fold.sounds.table.multi_label
    truth_NK = truth(fold.clips, len(model.labels))
    score = mean_average_precision(scores_NK, truth_NK) if several else accuracy(scores_NK, truth_NK.argmax(axis=1))
    cell = severity_score(
        severity, level, score, expected_calibration_error(scores_NK, truth_NK, model.loss.binary), clean=clean
    )
    return cell if several else cell.changed(standard_error=standard_error(score, len(fold.clips)))
