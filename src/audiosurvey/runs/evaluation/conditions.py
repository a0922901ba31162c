"""How a run's models hold when their test clips are recorded otherwise: softer, band-limited, shorter, noisier.

Enters: a run with finished folds; leaves: `conditions.json` in its folder, a section in the cards of its models, and
the table for the terminal. Each fold's model hears its own test clips, changed at the model's rate; noise is drawn by
clip.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.card import add_conditions
from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.degradations import RecordingCondition, conditions
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream
from audiosurvey.runs.evaluation.heldout import FoldModel, Prepare, fold_models
from audiosurvey.runs.evaluation.scores import truth
from audiosurvey.runs.results.results import write_json
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.training.metrics import accuracy, mean_average_precision
from audiosurvey.version import __version__

FILE = "conditions.json"
SCHEMA = 1
_AT_ONCE = 64
"""Clips that are held in memory."""

Progress = Callable[[int, int | None], None]


def measure_conditions(
    run: RunFolder, prepare: Prepare, *, device: str = "auto", progress: Progress = lambda done, total: None
) -> dict[str, Any]:
    """Measures all folds that are done, and writes what was found beside the run and into its models' cards.

    Returns what conditions.json holds. Raises UserError as `evaluate_run` does, and where the folder is read-only.
    """
    before = run.read_results()
    asked = conditions(run.read_config().sample_rate)
    total, done = sum(row["clips"] for row in before["folds"]) * len(asked) if before else None, 0

    def moved(clips: int) -> None:
        nonlocal done
        done += clips
        progress(done, total)

    # One model at a time is in memory.
    rows = [_of_fold(fold, asked, device, moved) for fold in fold_models(run, prepare)]
    metric = "map" if "map" in rows[0]["conditions"][0] else "accuracy"
    found = {
        "schema": SCHEMA,
        "version": __version__,
        "metric": metric,
        "mean": [_mean(place, condition.name, metric, rows) for place, condition in enumerate(asked)],
        "folds": rows,
    }
    try:
        write_json(run.path / FILE, found)
        _tell_cards(run, found)
    except OSError as error:
        raise UserError(f"{run.path}: conditions cannot be written ({error.strerror or error})") from None
    return found


def score_changed(
    model: Model, store: Store, clips: Sequence[Clip], condition: RecordingCondition, moved: Callable[[int], None]
) -> np.ndarray:
    """What `model.predict` says of the changed clips, (N, K) in the order of the labels."""
    scores: list[list[float]] = []
    for begin in range(0, len(clips), _AT_ONCE):
        part = clips[begin : begin + _AT_ONCE]
        waves = [condition.change(store.read(clip.id), stream("conditions", condition.name, clip.id)) for clip in part]
        scores += [[said[label] for label in model.labels] for said in model.predict(waves)]
        moved(len(part))
    return np.array(scores, dtype=np.float32)


def _of_fold(
    fold: FoldModel, asked: Sequence[RecordingCondition], device: str, moved: Callable[[int], None]
) -> dict[str, Any]:
    model, sounds = fold.model, fold.sounds
    truth_NK = truth(fold.clips, len(model.labels))
    model.to(device)
    found: list[dict[str, Any]] = []
    for condition in asked:
        scores_NK = score_changed(model, sounds.store, fold.clips, condition, moved)
        if sounds.table.multi_label:
            right = {"map": mean_average_precision(scores_NK, truth_NK)}
        else:
            right = {"accuracy": accuracy(scores_NK, truth_NK.argmax(axis=1))}
        found.append({"name": condition.name} | right | {"mean_score": float(scores_NK.max(axis=1).mean())})
    model.to("cpu")
    return {"fold": fold.row["fold"], "clips": len(fold.clips), "conditions": found}


def _mean(place: int, name: str, metric: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over the folds; None where a fold has no such figure."""
    mean: dict[str, Any] = {"name": name}
    for key in (metric, "mean_score"):
        values = [row["conditions"][place][key] for row in rows]
        mean[key] = None if None in values else float(np.mean(values))
    return mean


def _tell_cards(run: RunFolder, found: dict[str, Any]) -> None:
    """Each fold's model shows its own figures, the final model the mean of the folds' models."""
    for row in found["folds"]:
        add_conditions(_card(run.fold(row["fold"]) / "model"), row["conditions"], found["metric"], fold=row["fold"])
    add_conditions(_card(run.model), found["mean"], found["metric"], folds=[row["fold"] for row in found["folds"]])


def _card(model: Path) -> Path:
    return model / "README.md"
