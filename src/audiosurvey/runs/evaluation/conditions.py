"""Scores of a run's models under simulated recording conditions: softer, band-limited, shorter, noisier test clips.

The results go to `conditions.json` in the run folder and into the cards of the models. Each fold model is tested on
its own test clips, changed at the model's sample rate; noise is drawn by clip.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from audiosurvey.artefact.card import add_conditions
from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.degradations import RecordingCondition, conditions
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Clip, truth
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream
from audiosurvey.runs.evaluation.heldout import FoldModel, OpenRun
from audiosurvey.runs.evaluation.model_scores import score_waves
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.results.condition_scores import ConditionResults, ConditionScores, FoldConditions
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import write_json
from audiosurvey.training.class_metrics import mean_average_precision
from audiosurvey.training.metrics import accuracy
from audiosurvey.version import __version__

FILE = "conditions.json"
SCHEMA = 1
CLIPS_AT_ONCE = 64
"""Clips held in memory."""
Change = Callable[[np.ndarray, Clip], np.ndarray]
"""The wave (S) of a clip, changed."""


def measure_conditions(run: OpenRun, *, device: str = "auto", bar: OpenBar = no_bar) -> ConditionResults:
    """Measures all folds that have ended; writes the results into the run folder and the cards of its models.

    Raises UserError if the folder is read-only.
    """
    asked = conditions(run.config.sample_rate)
    total, done = sum(row.clips for row in run.results.folds) * len(asked), 0
    with bar("changed test clips") as advance:

        def moved(clips: int) -> None:
            nonlocal done
            done += clips
            if advance:
                advance(done, total)

        folds = [_of_fold(fold, asked, device, moved) for fold in run.models()]
    metric = "map" if "map" in folds[0].conditions[0].model_fields_set else "accuracy"
    mean = [_mean([fold.conditions[place] for fold in folds], metric) for place in range(len(asked))]
    found = ConditionResults(schema_version=SCHEMA, version=__version__, metric=metric, mean=mean, folds=folds)
    try:
        write_json(run.folder.path / FILE, found.as_json())
        _fill_cards(run.folder, found)
    except OSError as error:
        raise UserError(f"{run.folder.path}: conditions cannot be written ({error.strerror or error})") from None
    return found


def score_changed(
    model: Model,
    store: Store,
    clips: Sequence[Clip],
    change: Change,
    moved: Callable[[int], None],
) -> np.ndarray:
    """Calibrated scores (N, K) of clips after `change`.

    `moved` is called with the number of clips that have been scored since its last call.
    """
    scores: list[np.ndarray] = []
    for begin in range(0, len(clips), CLIPS_AT_ONCE):
        part = clips[begin : begin + CLIPS_AT_ONCE]
        waves = [change(store.read(clip.id), clip) for clip in part]
        scores.append(score_waves(model, waves))
        moved(len(part))
    return np.concatenate(scores).astype(np.float32)


def _of_fold(
    fold: FoldModel, asked: Sequence[RecordingCondition], device: str, moved: Callable[[int], None]
) -> FoldConditions:
    model, sounds = fold.model, fold.sounds
    truth_NK = truth(fold.clips, len(model.labels))
    model.to(device)
    found: list[ConditionScores] = []
    for condition in asked:
        scores_NK = score_changed(model, sounds.store, fold.clips, _changing(condition), moved)
        if sounds.table.multi_label:
            metric = {"map": mean_average_precision(scores_NK, truth_NK)}
        else:
            metric = {"accuracy": accuracy(scores_NK, truth_NK.argmax(axis=1))}
        mean_score = float(scores_NK.max(axis=1).mean())
        stored = {"name": condition.name, **metric, "mean_score": mean_score}
        found.append(ConditionScores.model_validate(stored))
    model.to("cpu")
    return FoldConditions(fold=fold.row.fold, clips=len(fold.clips), conditions=found)


def _changing(condition: RecordingCondition) -> Change:
    return lambda wave_S, clip: condition.change(wave_S, stream("conditions", condition.name, clip.id))


def _mean(rows: Sequence[ConditionScores], metric: str) -> ConditionScores:
    """Over the folds; None where a fold has no such figure."""
    values = {key: [getattr(row, key) for row in rows] for key in (metric, "mean_score")}
    means = {key: None if None in found else float(np.mean(found)) for key, found in values.items()}
    return ConditionScores.model_validate({"name": rows[0].name, **means})


def _fill_cards(run: RunFolder, found: ConditionResults) -> None:
    """The card of each fold model shows its own figures, that of the final model the mean."""
    stored = found.as_json()
    for row in stored["folds"]:
        add_conditions(_card(run.fold(row["fold"]) / "model"), row["conditions"], found.metric, fold=row["fold"])
    add_conditions(_card(run.model), stored["mean"], found.metric, folds=[row.fold for row in found.folds])


def _card(model: Path) -> Path:
    return model / "README.md"
