"""Results of a run as typed data: `results.json`, and `result.json` in the folder of each fold.

Both have the same form. The file of a fold holds that fold alone and is written once, when the fold has ended;
`results.json` joins the files of all folds and can be made again from them at any time.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, PrivateAttr

from audiosurvey.data.sets.registry import is_published
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError
from audiosurvey.runs.results.class_scores import ClassScores, classes_of_confusion, pooled_classes
from audiosurvey.runs.results.condition_scores import ConditionResults
from audiosurvey.runs.results.facts import (
    DatasetFacts,
    FinalFacts,
    LeftOutClip,
    ParentFacts,
    PretrainingFacts,
    clips_left_out,
)
from audiosurvey.runs.results.layer_scores import LayerScore
from audiosurvey.runs.results.mixed_up import MixedUp, mixed_up
from audiosurvey.runs.results.other_scores import OtherScores, OtherSummary, summary
from audiosurvey.runs.results.recipes import same_recipe
from audiosurvey.runs.results.run_predictions import RunPredictions
from audiosurvey.runs.results.stored import StoredPart, parse_part, read_json
from audiosurvey.training.class_metrics import recall
from audiosurvey.training.metrics import Metrics, mean_and_std, names_for
from audiosurvey.version import __version__

if TYPE_CHECKING:
    from audiosurvey.config.root import Config
    from audiosurvey.data.store.store import Store

SCHEMA = 1
ADDED_METRICS = {"balanced_accuracy", "f1", "precision", "calibration_error"}
"""Metrics that results of earlier versions do not have."""
OWN_RECIPES = "each fold was trained with a recipe of its own, found by a nested search"
"""A note of a run whose config is that of its first fold."""


class FoldRow(StoredPart):
    """One fold of the results; its metrics are further keys."""

    fold: int
    clips: int
    """Clips in the test fold."""
    train_clips: int = 0
    left_out: list[str] = []
    """Training clips left out because the published folds have their recording on both sides."""
    epochs: int
    chosen_epoch: int
    penalty: float | None = None
    """Of a linear probe."""
    seconds: float
    side_by_side: int = 1
    """Folds that shared the machine."""
    threads: int | None = None
    peak_memory_mb: float | None = None
    """Highest use of the GPU's memory by tensors, or, without a GPU, of memory by the process. Only for folds that were
    trained without an interruption."""
    energy_wh: float | None = None
    """Measured; only where the system measures it, and for folds that were trained without an interruption."""

    by_class: dict[str, ClassScores] = {}
    """Scores of each class; empty in results of earlier versions."""
    other: OtherScores | None = None
    """How well sounds of no class are told from the test clips, where `dataset.other` gives any."""
    layers: list[LayerScore] = []
    """Of an encoder with `layer: all`."""

    def metrics(self, names: Iterable[str]) -> Metrics:
        return {name: getattr(self, name, None) for name in names}


class RunResults(StoredPart):
    """Results of the folds of a run that have ended."""

    schema_version: int = Field(default=SCHEMA, validation_alias="schema", serialization_alias="schema")
    version: str = ""
    versions: list[str] = []
    """All versions of audiosurvey that trained folds, if there are several."""
    dataset: DatasetFacts
    protocol: dict[str, Any] = {}
    official: bool
    not_official: str | None
    """Why the mean cannot be compared with the literature."""
    selection: str
    optimistic: bool
    """Whether the epoch was chosen on the test fold."""
    leaking: bool
    """Whether a recording is on both sides of a split."""
    seed: int = 0
    config: dict[str, Any] = {}
    all_folds: list[int]
    as_published: bool
    classes: list[str]
    multi_label: bool
    init: str | None = None
    pretraining: PretrainingFacts | None = None
    parent: ParentFacts | None = None
    quick: int | None = None
    """Of a quick look (`train --quick`): the epochs of a whole run."""
    folds: list[FoldRow]
    final: FinalFacts | None = None
    mean: dict[str, float | None]
    std: dict[str, float | None]
    other: OtherSummary | None = None
    parameters: int | None = None
    macs: int | None = None
    seconds: float
    confusion: list[list[int]] | None
    recall: dict[str, float | None] | None = None
    by_class: dict[str, ClassScores] = {}
    """Scores of each class over all folds; empty in results of earlier versions."""
    ignored: list[LeftOutClip] = []
    skipped: list[LeftOutClip]
    notes: list[str]
    search_trial: bool = False
    """Scores of a validation fold, of a trial in a search; never a test score."""
    conditions: ConditionResults | None = None
    """With `evaluate --conditions`; never in results.json."""
    mixed_up: list[MixedUp] = []
    """From `evaluate`; never in results.json."""
    _predictions: RunPredictions | None = PrivateAttr(default=None)

    @property
    def predictions(self) -> RunPredictions | None:
        """From `evaluate`: the clips with their scores; None for results that were read from a file."""
        return self._predictions

    def with_predictions(self, found: RunPredictions) -> "RunResults":
        """With the predictions that they were computed from, and the classes that are mixed up in these."""
        added = self.changed(mixed_up=mixed_up(found))
        added._predictions = found
        return added

    @property
    def metric_names(self) -> list[str]:
        """Metrics that every fold has."""
        names = names_for(self.multi_label)
        return [name for name in names if name not in ADDED_METRICS or all(hasattr(row, name) for row in self.folds)]

    @property
    def class_scores(self) -> dict[str, ClassScores]:
        """`by_class`, for results of earlier versions as far as the confusion matrix tells."""
        if self.by_class or self.confusion is None:
            return self.by_class
        return classes_of_confusion(self.confusion, self.classes)

    @property
    def tuned_on(self) -> list[int]:
        """Folds by whose scores the recipe was chosen."""
        return sorted(set(self.protocol.get("tuned_on") or []))

    @property
    def own_recipes(self) -> bool:
        """Whether the folds were trained with different recipes."""
        return OWN_RECIPES in self.notes

    @property
    def done(self) -> list[int]:
        """Numbers of the folds that have ended."""
        return [row.fold for row in self.folds]

    def with_folds(self, rows: Sequence[FoldRow], confusion_KK: np.ndarray | None) -> "RunResults":
        """Adds the rows of folds, and `confusion_KK`, their confusion matrices summed; means and marks follow."""
        folds = sorted([*self.folds, *rows], key=lambda row: row.fold)
        assert len({row.fold for row in folds}) == len(folds), "a fold is recorded once"
        added = self.changed(folds=folds)
        mean, std = mean_and_std([row.as_json() for row in folds], added.metric_names)
        # Time of the whole machine: each of the folds trained side by side had a share of it.
        seconds = round(sum(row.seconds / row.side_by_side for row in folds), 3)
        added = added.changed(mean=mean, std=std, seconds=seconds)
        if folds and all(row.by_class for row in folds):
            added = added.changed(by_class=pooled_classes([row.by_class for row in folds]))
        elif self.by_class:
            added = added.changed(by_class={})
        why_not = added._why_not_official()
        added = added.changed(official=why_not is None, not_official=why_not)
        if (other := summary([row.other for row in folds])) is not None:
            added = added.changed(other=other)
        if confusion_KK is None:
            return added
        pooled_KK = np.asarray(self.confusion or np.zeros_like(confusion_KK)) + confusion_KK
        recalls = dict(zip(self.classes, recall(pooled_KK), strict=True))
        return added.changed(confusion=pooled_KK.tolist(), recall=recalls)

    @property
    def published(self) -> bool:
        """Whether complete runs on this data set compare with the literature."""
        spec = ((self.config or {}).get("dataset") or {}).get("spec") or {}
        return is_published(self.dataset.name) or bool(spec.get("official"))

    def _why_not_official(self) -> str | None:
        if self.search_trial:
            return "scores of a validation fold, in a search"
        if not self.published:
            return "this data set has none"
        if skipped := len(self.skipped):
            return f"{skipped} clip{'s' if skipped > 1 else ''} skipped"
        if ignored := len(self.ignored):
            return f"{ignored} clip{'s' if ignored > 1 else ''} left out by dataset.ignore"
        if not self.as_published:
            return "not the whole data set as published"
        if self.leaking:
            return "one recording is on both sides of a split"
        if self.done != self.all_folds:
            folds = f"fold{'s' if len(self.done) > 1 else ''} {', '.join(map(str, self.done))}"
            return f"{folds} of {len(self.all_folds)} only"
        return None

    def without_folds(self, parts: Sequence["RunResults"]) -> "RunResults":
        """These results without the folds of `parts`, each of which holds one fold."""
        gone = {part.folds[0].fold: part for part in parts if part.folds[0].fold in self.done}
        rows = [row for row in self.folds if row.fold not in gone]
        counts_KK = None if self.confusion is None else np.asarray(self.confusion)
        for part in gone.values():
            if counts_KK is not None and part.confusion is not None:
                counts_KK = counts_KK - np.asarray(part.confusion)
        return self.changed(folds=[], confusion=None).with_folds(rows, counts_KK)


def new_results(config: "Config", table: Table, store: "Store", *, leaking: bool) -> RunResults:
    """The results of a run before its first fold has ended. `config` is resolved, `table` without skipped clips."""
    return RunResults(
        schema_version=SCHEMA,
        version=__version__,
        dataset=DatasetFacts.of(table, store, config.sample_rate),
        protocol=config.protocol.model_dump(mode="json"),
        official=False,
        not_official=None,
        selection=config.protocol.selection,
        optimistic=config.protocol.selection == "test",
        leaking=leaking,
        seed=config.seed,
        # `merge` compares these: the whole experiment, and which folds there are.
        config=config.model_dump(mode="json"),
        all_folds=list(table.folds),
        as_published=table.official,
        classes=list(table.classes),
        multi_label=table.multi_label,
        init=None,
        folds=[],
        final=None,
        mean={},
        std={},
        parameters=None,
        macs=None,
        seconds=0.0,
        confusion=None,
        recall=None,
        ignored=clips_left_out(table.ignored),
        skipped=clips_left_out(store.skipped),
        notes=list(table.notes),
    )


def joined(parts: Sequence[RunResults]) -> RunResults:
    """Results of one experiment joined; no fold is in two of them."""
    versions = sorted({version for part in parts for version in part.versions or [part.version]})
    found = parts[0].changed(folds=[], final=None, confusion=None, leaking=any(part.leaking for part in parts))
    if len(versions) > 1:
        found = found.changed(versions=versions)
    configs = [part.config for part in parts if part.config]
    if not all(same_recipe(configs[0], config) for config in configs) or any(part.own_recipes for part in parts):
        found = found.changed(notes=list(dict.fromkeys([*found.notes, OWN_RECIPES])))
    for part in parts:
        found = found.with_folds(part.folds, None if part.confusion is None else np.asarray(part.confusion))
    return found


def read_results(path: Path, mend: str) -> RunResults:
    """The results in a file. Raises UserError, ending in `mend`, for a file that is damaged or of another schema."""
    return parse_results(read_json(path, mend), path, mend)


def parse_results(stored: dict[str, Any], path: Path, mend: str) -> RunResults:
    """The results in `stored`, which was read from `path`. Raises UserError as `read_results` does."""
    schema = stored.get("schema", SCHEMA)
    if schema != SCHEMA:
        wrote = f"audiosurvey {stored['version']}" if "version" in stored else "the version that wrote it"
        raise UserError(f"{path}: results of schema {schema}; this version reads {SCHEMA}; use {wrote}")
    results = parse_part(RunResults, stored, path, mend)
    if fault := _inconsistency(results):
        raise UserError(f"{path}: damaged, {fault}; {mend}")
    return results


def _inconsistency(results: RunResults) -> str | None:
    names = set(names_for(results.multi_label))
    for row in results.folds:
        for name in results.metric_names:
            if not isinstance(getattr(row, name, "missing"), float | int | None):
                return f"fold {row.fold}: no {name}"
    if not names >= results.mean.keys() == results.std.keys():
        return "mean and std: not of these metrics"
    classes = len(results.classes)
    if results.confusion and [len(row) for row in results.confusion] != [classes] * classes:
        return f"confusion: not {classes} rows of {classes}"
    return None
