"""Evaluation of what is already trained: a run on its own test folds, a model on other sounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from audiosurvey.artefact.folder import Model, load_artefact
from audiosurvey.config.loader import load_config
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.layout import dataset_at
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import make_split
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.runs.evaluation.scores import score_windows, truth
from audiosurvey.runs.results.results import Results, add_fold, new_results
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.training.metrics import confusion, evaluate, recall
from audiosurvey.training.precision import pick_device
from audiosurvey.training.sound_scores import ScoredWindows


class Prepare(Protocol):
    """Table and store of a data set; `divide`: with folds."""

    def __call__(self, dataset: DatasetConfig, sample_rate: int, *, divide: bool = True) -> Sounds: ...


@dataclass(frozen=True)
class FoldModel:
    """A finished fold: its model, and the test clips that it has not heard."""

    row: dict[str, Any]
    """Of results.json."""
    model: Model
    sounds: Sounds
    clips: tuple[Clip, ...]


def evaluate_run(run: RunFolder, prepare: Prepare, *, device: str = "auto", reverse: bool = False) -> Results:
    """Each fold's model on its own test fold, in the form of results.json. Raises UserError where no fold is done."""
    config, before, sounds = _opened(run, prepare)
    results = new_results(config, sounds.table, sounds.store, leaking=before["leaking"])
    results |= {name: before[name] for name in ("init", "parameters", "macs", "pretraining", "final") if name in before}
    for fold in _fold_models(run, config, before, sounds):
        metrics, counts = _measure(fold.model, sounds, fold.clips, device, reverse)
        add_fold(results, fold.row | metrics | {"clips": len(fold.clips)}, counts)
    return results


def fold_models(run: RunFolder, prepare: Prepare) -> Iterator[FoldModel]:
    """The finished folds of a run, one after another. Raises UserError where there is none, or the data changed."""
    return _fold_models(run, *_opened(run, prepare))


def _opened(run: RunFolder, prepare: Prepare) -> tuple[Config, Results, Sounds]:
    config = run.read_config()
    before = run.read_results()
    if before is None:
        raise UserError(f"{run.path}: no fold has ended yet; go on with 'audiosurvey train --resume'")
    sounds = prepare(config.dataset, config.sample_rate)
    if sounds.store.hash != before["dataset"]["hash"]:
        raise UserError(f"{run.path}: the data changed since the run; its folds cannot be evaluated on it")
    return config, before, sounds


def _fold_models(run: RunFolder, config: Config, before: Results, sounds: Sounds) -> Iterator[FoldModel]:
    protocol = config.protocol
    assert protocol.selection != "auto", "the config is resolved"
    for row in before["folds"]:
        split = make_split(sounds.table, row["fold"], protocol.selection, protocol.allow_leakage)
        yield FoldModel(row, load_artefact(run.fold(row["fold"]) / "model"), sounds, split.test)


def evaluate_model(path: Path, data: str, prepare: Prepare, *, device: str = "auto", reverse: bool = False) -> Results:
    """A model on `data`: a config file, or the root of a data set whose layout tells what it is.

    Classes are matched by name; one that the model does not know is an error. Clips of recordings that took part in the
    training, by content or source, are counted and named: a score over them is not a test. Clips that lie outside what
    the model was trained on are named too, under `outside`.
    """
    model = load_artefact(path)
    dataset = _dataset(data, model)
    sounds = prepare(dataset, model.sample_rate, divide=False)
    unknown = [name for name in sounds.table.classes if name not in model.labels]
    if unknown:
        labels = ", ".join(model.labels)
        raise UserError(f"{data}: classes that the model does not know: {', '.join(unknown)}; it knows {labels}")
    if sounds.table.multi_label and not model.facts["multi_label"]:
        raise UserError(
            f"{data}: clips have several labels, and the model tells one class a clip; give one label a clip"
        )
    column = [model.labels.index(name) for name in sounds.table.classes]
    clips = tuple(_relabel(clip, column) for clip in sounds.table.clips)
    metrics, counts = _measure(model, sounds, clips, device, reverse)
    known = model.heard.known(clips, sounds.store)
    unseen = tuple(clip for clip in clips if clip.id not in known)
    seen = [clip.id for clip in clips if clip.id in known]
    return {
        "schema": 1,
        "model": path.as_posix(),
        "dataset": {
            "name": sounds.table.name,
            "subset": sounds.table.subset,
            "sample_rate": model.sample_rate,
            "clips": len(clips),
            "hash": sounds.store.hash,
            "licence": sounds.table.licence,
        },
        "classes": model.labels,
        "metrics": metrics,
        "clips": len(clips),
        "trained_on": seen,
        "metrics_unseen": _measure(model, sounds, unseen, device, reverse)[0] if seen and unseen else None,
        "outside": _outside(model, sounds, clips),
        "confusion": None if counts is None else counts.tolist(),
        "recall": None if counts is None else dict(zip(model.labels, recall(counts), strict=True)),
        "ignored": [{"clip": left.id, "reason": left.reason} for left in sounds.table.ignored],
        "skipped": [{"clip": bad.id, "reason": bad.reason} for bad in sounds.store.skipped],
    }


def _measure(
    model: Model, sounds: Sounds, clips: tuple[Clip, ...], device: str, reverse: bool
) -> tuple[dict[str, Any], Any]:
    scores_NK = score_with(model, sounds, clips, device, reverse=reverse).sounds_NK
    truth_NK = truth(clips, len(model.labels))
    metrics = evaluate(scores_NK, truth_NK, model.facts["multi_label"], model.loss.binary)
    counts = None if model.facts["multi_label"] else confusion(scores_NK, truth_NK.argmax(axis=1))
    return metrics, counts


def score_with(
    model: Model, sounds: Sounds, clips: Sequence[Clip], device: str, *, reverse: bool = False
) -> ScoredWindows:
    """What a trained model says of clips, uncalibrated."""
    network = model.network.to(pick_device(device)).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    scored = score_windows(
        network,
        model.front_end.to(pick_device(device)),
        model.to_scores,
        sounds.store,
        clips,
        clip_samples=model.clip_samples,
        pad=model.facts["pad"],
        batch_size=model.config.train.batch_size,
        num_workers=model.config.train.num_workers,
        reverse=reverse,
    )
    # Predictions of the model stay where the caller expects them, on the processor.
    model.network.cpu()
    model.front_end.cpu()
    return scored


def _outside(model: Model, sounds: Sounds, clips: tuple[Clip, ...]) -> list[dict[str, str]]:
    """Clips that lie outside the model's training clips, with what is to be noted of each."""
    found = [(clip.id, model.notes(sounds.store.read(clip.id))) for clip in clips] if model.training_range else []
    return [{"clip": clip, "note": "; ".join(notes)} for clip, notes in found if notes]


def _dataset(data: str, model: Model) -> DatasetConfig:
    """The data set that `--data` names, read as the model was trained (mono, padding, length of a window)."""
    path = Path(data)
    if path.is_dir():
        base = dataset_at(path)
        own = model.config.dataset
        if base.name == own.name and own.subset:
            base = base.model_copy(update={"subset": own.subset})
    elif path.suffix in (".yaml", ".yml") or not path.exists():
        base = load_config(data).config.dataset
    else:
        raise UserError(f"{data}: expected a config file or the root folder of a data set")
    if base.name == "csv" and base.multi_label is None and model.facts["multi_label"]:
        base = base.model_copy(update={"multi_label": True})
    window = model.clip_samples / model.sample_rate
    return base.model_copy(update={"mono": model.facts["mono"], "pad": model.facts["pad"], "clip_seconds": window})


def _relabel(clip: Clip, column: list[int]) -> Clip:
    return replace(clip, labels=tuple(column[label] for label in clip.labels))
