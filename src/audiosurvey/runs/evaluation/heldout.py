"""Evaluation of trained models: those of a run on its own test folds, a model on other sounds."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audiosurvey.artefact.folder import Model, find_model, load_artefact
from audiosurvey.config.loader import load_config
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.layout import dataset_at
from audiosurvey.data.sounds import Sounds, prepare_sounds
from audiosurvey.data.splits.folds import Split, make_split
from audiosurvey.data.splits.subset import training_subset
from audiosurvey.data.table import Clip, Table, truth
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.runs.evaluation.evaluation_result import EvaluationResult
from audiosurvey.runs.evaluation.model_scores import score_with
from audiosurvey.runs.evaluation.unknown import OtherData, measure_others, open_others
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.results.class_scores import measure_classes
from audiosurvey.runs.results.facts import DatasetFacts, clips_left_out
from audiosurvey.runs.results.results import FoldRow, RunResults, new_results
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.run_predictions import RunPredictions, joined_predictions, scored_predictions
from audiosurvey.training.class_metrics import confusion, recall
from audiosurvey.training.metrics import Metrics, evaluate
from audiosurvey.training.sound_scores import ScoredWindows

Data = str | DatasetConfig
"""A config file, the root of a data set, or the section of one."""


@dataclass(frozen=True)
class FoldModel:
    """A finished fold: its model, and which clips it was trained and is tested on."""

    row: FoldRow
    model: Model
    sounds: Sounds
    split: Split

    @property
    def clips(self) -> tuple[Clip, ...]:
        """The test clips."""
        return self.split.test


@dataclass(frozen=True)
class OpenRun:
    """A run with finished folds, and its data."""

    folder: RunFolder
    config: Config
    results: RunResults
    sounds: Sounds

    def models(self, folds: Collection[int] | None = None) -> Iterator[FoldModel]:
        """The finished folds, or those of them in `folds`, one after the other: one model at a time is in memory."""
        for row in self.results.folds:
            if folds is None or row.fold in folds:
                split = fold_split(self.config, self.sounds.table, row.fold)
                place = self.folder.fold(row.fold) / "model"
                if not place.exists():
                    raise UserError(
                        f"{place}: its model was not kept; train the run again (in a survey: with keep: model)"
                    )
                yield FoldModel(row, load_artefact(place), self.sounds, split)


def data_for_model(target: Path, data: Data | None, *, conditions: bool) -> Data | None:
    """The `data` on which the model `target` is to be evaluated; None if `target` is evaluated as a run.

    Raises UserError for arguments that do not fit it.
    """
    if conditions and data is not None:
        raise ArgumentError("{conditions}: is for a run, which has its own test clips; leave {data} out", **_ANY)
    if (target / "config.yaml").exists() and not (target / "model.json").exists():
        if data is not None and not (target / "model" / "model.json").exists():
            text = f"{target}: is a run, which has its own data; {{data}} is for a model, such as fold-1/model"
            raise ArgumentError(text, data=...)
        return data
    if conditions:
        raise ArgumentError(f"{target}: not a run folder; {{conditions}} is for a run", conditions=...)
    find_model(target)
    if data is None:
        raise ArgumentError(f"{target}: which data? give {{data}}, the root of a data set or a config", data=...)
    return data


_ANY = {"conditions": ..., "data": ...}


def open_run(run: RunFolder, bar: OpenBar = no_bar) -> OpenRun:
    """Reads the results of a run and prepares its data. Raises UserError if no fold has ended, or the data changed."""
    config = run.read_config()
    before = run.require_results()
    sounds = prepare(config.dataset, config.sample_rate, bar)
    if sounds.store.hash != before.dataset.hash:
        raise UserError(f"{run.path}: the data changed since the run; its folds cannot be evaluated")
    return OpenRun(run, config, before, sounds)


def evaluate_run(
    run: OpenRun, *, device: str = "auto", reverse: bool = False, others: OtherData | None = None
) -> RunResults:
    """Evaluates the model of each fold on its test fold.

    `others`: sounds of no class, in place of those of the run's own that were held out of the fold.
    """
    before, sounds = run.results, run.sounds
    results = new_results(run.config, sounds.table, sounds.store, leaking=before.leaking).changed(
        init=before.init, parameters=before.parameters, macs=before.macs, final=before.final
    )
    if before.pretraining is not None:
        results = results.changed(pretraining=before.pretraining)
    predictions: list[RunPredictions] = []
    for fold in run.models():
        scored = score_with(fold.model, sounds, fold.clips, device, reverse=reverse)
        metrics, counts = _metrics(fold.model, scored, fold.clips)
        found = _predictions(fold.model, scored, fold.clips, fold.row.fold)
        several = found.multi_label
        by_class = measure_classes(found.scores_NK, found.truth_NK, found.classes, multi_label=several)
        predictions.append(found)
        row = fold.row.changed(**metrics, by_class=by_class, clips=len(fold.clips))
        unheard = others.unheard_by(fold.model) if others else _own_others(fold)
        if unheard is not None:
            row = row.changed(other=measure_others(fold.model, fold.clips, scored, unheard, device, reverse=reverse))
        results = results.with_folds([row], counts)
    return results.with_predictions(joined_predictions(predictions))


def evaluate_model(
    path: Path,
    data: Data,
    *,
    device: str = "auto",
    reverse: bool = False,
    other: Path | None = None,
    bar: OpenBar = no_bar,
) -> EvaluationResult:
    """Evaluates a model on `data`: a config file, the root of a data set whose layout is recognised, or a section.

    Classes are matched by name; one that the model does not know is an error. Clips of recordings that the model was
    trained on, by content or source, are listed: a score over them is not a test. So are clips outside the range of the
    training clips. `other`: sounds of no class, of which those that it was not trained on are measured.
    """
    model = load_artefact(path)
    sounds = prepare(_dataset(data, model), model.sample_rate, bar, divide=False)
    table, named = sounds.table, data if isinstance(data, str) else data.name
    unknown = [name for name in table.classes if name not in model.labels]
    if unknown:
        labels = ", ".join(model.labels)
        raise UserError(f"{named}: classes that the model does not know: {', '.join(unknown)}; it knows {labels}")
    if table.multi_label and not model.facts["multi_label"]:
        raise UserError(
            f"{named}: clips have several labels, but the model predicts one class per clip; give clips with one label"
        )
    column = [model.labels.index(name) for name in table.classes]
    clips = tuple(_relabel(clip, column) for clip in table.clips)
    scored = score_with(model, sounds, clips, device, reverse=reverse)
    metrics, counts = _metrics(model, scored, clips)
    known = model.heard.known(clips, sounds.store)
    unseen = tuple(clip for clip in clips if clip.id not in known)
    seen = [clip.id for clip in clips if clip.id in known]
    others = None
    if other is not None:
        sounds_of_none = open_others(other, sounds.config, model.sample_rate, bar).unheard_by(model)
        # Clips that the model was trained on have higher scores than new ones.
        against = unseen or clips
        told = scored if against == clips else score_with(model, sounds, against, device, reverse=reverse)
        others = measure_others(model, against, told, sounds_of_none, device, reverse=reverse)
    found = EvaluationResult(
        schema_version=1,
        model=path.as_posix(),
        dataset=DatasetFacts.of(table, sounds.store, model.sample_rate),
        classes=list(model.labels),
        metrics=metrics,
        clips=len(clips),
        trained_on=seen,
        metrics_unseen=_measure(model, sounds, unseen, device, reverse)[0] if seen and unseen else None,
        outside=_outside(model, sounds, clips),
        confusion=None if counts is None else counts.tolist(),
        recall=None if counts is None else dict(zip(model.labels, recall(counts), strict=True)),
        ignored=clips_left_out(table.ignored),
        skipped=clips_left_out(sounds.store.skipped),
    )
    if others is not None:
        found = found.changed(other=others)
    return found.with_predictions(_predictions(model, scored, clips, 0))


def fold_split(config: Config, table: Table, fold: int) -> Split:
    """Training, validation and test clips of a fold. `config` is resolved. Raises UserError for a leak."""
    assert config.protocol.selection != "auto", "the config is resolved"
    split = make_split(table, fold, config.protocol.selection, config.protocol.allow_leakage)
    return replace(split, train=training_subset(split.train, config.protocol.train_share, config.seed))


def _measure(
    model: Model, sounds: Sounds, clips: tuple[Clip, ...], device: str, reverse: bool
) -> tuple[Metrics, np.ndarray | None]:
    return _metrics(model, score_with(model, sounds, clips, device, reverse=reverse), clips)


def _metrics(model: Model, scored: ScoredWindows, clips: tuple[Clip, ...]) -> tuple[Metrics, np.ndarray | None]:
    scores_NK, truth_NK = scored.sounds_NK, truth(clips, len(model.labels))
    metrics = evaluate(scores_NK, truth_NK, model.facts["multi_label"], model.loss.binary)
    counts = None if model.facts["multi_label"] else confusion(scores_NK, truth_NK.argmax(axis=1))
    return metrics, counts


def _predictions(model: Model, scored: ScoredWindows, clips: tuple[Clip, ...], fold: int) -> RunPredictions:
    several = bool(model.facts["multi_label"])
    return scored_predictions(clips, model.labels, scored.sounds_NK, fold=fold, multi_label=several)


def _own_others(fold: FoldModel) -> OtherData | None:
    """The run's own sounds of no class that were held out of a fold; None without any."""
    others = fold.sounds.others
    return None if others is None else OtherData(fold.sounds, others.split(fold.split).test)


def _outside(model: Model, sounds: Sounds, clips: tuple[Clip, ...]) -> list[dict[str, str]]:
    """Clips outside the range of the model's training clips, with a note on each."""
    found = [(clip.id, model.notes(sounds.store.read(clip.id))) for clip in clips] if model.training_range else []
    return [{"clip": clip, "note": "; ".join(notes)} for clip, notes in found if notes]


def _dataset(data: Data, model: Model) -> DatasetConfig:
    """The data set named by `data`, read as for the training (mono, padding, length of a window)."""
    base = data if isinstance(data, DatasetConfig) else _named_dataset(data, model)
    if base.name == "csv" and base.multi_label is None and model.facts["multi_label"]:
        base = base.model_copy(update={"multi_label": True})
    if base.name == "raven" and model.config.dataset.windows is not None:
        base = base.model_copy(update={"windows": model.config.dataset.windows})
    window = model.clip_samples / model.sample_rate
    return base.model_copy(update={"mono": model.facts["mono"], "pad": model.facts["pad"], "clip_seconds": window})


def _named_dataset(data: str, model: Model) -> DatasetConfig:
    path = Path(data)
    if path.is_dir():
        base, own = dataset_at(path), model.config.dataset
        return base.model_copy(update={"subset": own.subset}) if base.name == own.name and own.subset else base
    if path.suffix in (".yaml", ".yml") or not path.exists():
        return load_config(data).config.dataset
    raise UserError(f"{data}: expected a config file or the root folder of a data set")


def prepare(dataset: DatasetConfig, sample_rate: int, bar: OpenBar = no_bar, *, divide: bool = True) -> Sounds:
    """Table and store of a data set; `divide`: with folds."""
    with bar(f"preparing {dataset.name}") as advance:
        return prepare_sounds(dataset, sample_rate, divide=divide, progress=advance)


def _relabel(clip: Clip, column: list[int]) -> Clip:
    return replace(clip, labels=tuple(column[label] for label in clip.labels))
