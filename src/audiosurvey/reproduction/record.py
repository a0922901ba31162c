"""A run to be reproduced: a run folder, or a file in the form of results.json."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.config.loader import LoadedConfig, Overrides, load_text
from audiosurvey.config.resolved import dump
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.results.fold_predictions import FILE
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.runs.results.recipes import PATHS_AND_SPEED
from audiosurvey.runs.results.results import OWN_RECIPES, RunResults, read_results
from audiosurvey.runs.results.row import ROW, read_row
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import read_json
from audiosurvey.runs.resuming import fold_threads

_CHANGEABLE = {name.removeprefix("config.") for name in PATHS_AND_SPEED} | {
    *("dataset.table", "dataset.ignore", "pretrain.dataset.table", "pretrain.dataset.ignore"),
    *("augmentation.reverb.folder", "augmentation.background.folder", "model.init"),
}
"""Paths, and what changes nothing but speed. What the paths lead to is compared with the record."""
_WANTED = "give a run folder with results, or a results.json file"


@dataclass(frozen=True)
class ReproduceOptions:
    """The options of `reproduce` besides the paths of the config."""

    run_dir: Path | None = None
    """The new run folder; None: `runs/NAME-reproduced`."""
    folds: Sequence[int] | None = None
    """None: all that were recorded."""
    jobs: int | None = None
    """Folds trained side by side; None: as recorded."""
    threads: int | None = None
    """Processor threads, shared by folds side by side; None: as recorded."""
    device: str = "auto"


@dataclass(frozen=True)
class Record:
    """What is known of a run that was trained before."""

    path: Path
    """As given."""
    results: RunResults
    config_text: str
    """Its resolved config as YAML."""
    run: RunFolder | None = None
    """None for a file of results alone."""
    environment: dict[str, Any] | None = None
    """That in which it began; None if it was not kept."""
    init_sha256: str | None = None
    """Of the weights it began with; None if that was not kept, or there were none."""
    seeds: tuple[RunResults, ...] = ()
    """Results of all seeds of a row of a survey; none for other runs."""
    scores: Mapping[int, tuple[list[str], np.ndarray]] = field(default_factory=dict)
    """Clip ids and scores of the recorded folds, as far as they were kept."""

    @property
    def metric(self) -> str:
        return "map" if self.results.multi_label else "accuracy"

    @property
    def name(self) -> str:
        return self.path.absolute().name if self.run else self.path.stem

    def load(self, overrides: Overrides) -> LoadedConfig:
        """The config, with other paths. Raises UserError for an override that would make it another experiment."""
        for word in overrides:
            key = word.partition("=")[0].strip()
            if key not in _CHANGEABLE:
                raise UserError(
                    f"{key}: would change the experiment; only paths and speed can be set here: "
                    f"{', '.join(sorted(_CHANGEABLE))}"
                )
        return load_text(self.config_text, (self.run.config_path if self.run else self.path).as_posix(), overrides)

    def threads(self) -> dict[int, int | None]:
        """Threads that each fold was trained with; None where that was not kept."""
        rows, begun = self.results.folds, self.environment
        if begun and "torch_threads" in begun and not begun.get("resumed"):
            found = fold_threads(self.results.done, begun.get("jobs", 1), begun["torch_threads"])
            return {row.fold: found[row.fold] if row.threads is None else row.threads for row in rows}
        return {row.fold: row.threads for row in rows}

    def train_options(self, options: ReproduceOptions) -> TrainOptions:
        """How to train it again, by default as it was trained: folds side by side and threads as then.

        A folder that holds a part of the reproduction is continued. Raises UserError for folds that were not recorded,
        and for the folder of the recorded run itself.
        """
        folder = options.run_dir or Path("runs") / f"{self.name}-reproduced"
        if self.run and folder.exists() and folder.resolve() == self.run.path.resolve():
            raise ArgumentError("{run_dir}: is the recorded run itself; give another folder", run_dir=folder)
        done = self.results.done
        for fold in options.folds or ():
            if fold not in done:
                there = ", ".join(map(str, done))
                raise ArgumentError(
                    f"{{folds}}: {self.path} has no results of this fold; there are {there}", folds=fold
                )
        asked = sorted(set(options.folds or done))
        as_recorded = asked == done and options.jobs in (None, self._jobs())
        jobs, threads = options.jobs or min(self._jobs(), len(asked)), options.threads
        if threads is None:
            then = self.threads()
            each = {then[fold] for fold in asked}
            one = each.pop() if len(each) == 1 else None
            threads = self._all_threads() if as_recorded or one is None else jobs * one
        begun = (folder / "config.yaml").exists()
        return TrainOptions(folder, asked, resume=begun, device=options.device, jobs=jobs, threads=threads)

    def _jobs(self) -> int:
        if self.environment:
            return int(self.environment.get("jobs", 1))
        return max((row.side_by_side for row in self.results.folds), default=1)

    def _all_threads(self) -> int | None:
        """Threads of all folds that were trained at the same time."""
        if self.environment and "torch_threads" in self.environment:
            return int(self.environment["torch_threads"])
        totals = [row.threads * row.side_by_side for row in self.results.folds if row.threads]
        return max(totals, default=None)

    def seed_deviation(self, folds: Sequence[int]) -> tuple[float, int] | None:
        """Standard deviation (n - 1) over seeds of the mean over these folds, and the number of seeds.

        Known for a run of a survey whose other seeds lie beside it; else None.
        """
        found = [mean for run in self.seeds if (mean := mean_over(run, folds, self.metric)) is not None]
        return (float(np.std(found, ddof=1)), len(found)) if len(found) > 1 else None


def read_record(path: Path) -> Record:
    """The run in a folder, or the results in a file. Raises UserError if there are none, or they hold no config."""
    if path.is_dir():
        run = RunFolder(path)
        results = run.read_results(remake=False)
        if results is None or not results.folds:
            raise UserError(f"{path}: no finished fold here; {_WANTED}")
        _refuse_own_recipes(path, results)
        run.read_config()
        environment = run.begun_with() if run.environment_path.exists() else None
        init = run.path / "init.json"
        sha256 = read_json(init).get("sha256") if init.exists() else None
        text = run.config_path.read_text(encoding="utf-8")
        # Read before anything is trained: damaged files are reported at once.
        scores = {fold: found for fold in results.done if (found := read_scores(run, fold)) is not None}
        return Record(path, results, text, run, environment, sha256, tuple(seeds_of(run)), scores)
    if not os.path.lexists(path):
        raise UserError(f"{path}: no such file or folder; {_WANTED}")
    results = read_results(path, _WANTED)
    if not results.config or not results.folds:
        missing = "config" if not results.config else "folds"
        raise UserError(f"{path}: cannot be reproduced, because it contains no {missing}; {_WANTED}")
    _refuse_own_recipes(path, results)
    return Record(path, results, dump(results.config))


def _refuse_own_recipes(path: Path, results: RunResults) -> None:
    if results.own_recipes:
        raise UserError(
            f"{path}: cannot be reproduced as one run, because {OWN_RECIPES}; 'audiosurvey survey' with the survey "
            "file and a new folder trains all of it again"
        )
    if results.parent:
        raise UserError(
            f"{path}: cannot be reproduced as one run, because it continues {results.parent.run}; reproduce that one"
        )


def mean_over(results: RunResults, folds: Sequence[int], metric: str) -> float | None:
    """The mean of a metric over these folds; None unless all of them have it."""
    values = [row.metrics([metric])[metric] for row in results.folds if row.fold in folds]
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if len(numbers) == len(folds) else None


def read_scores(run: RunFolder, fold: int) -> tuple[list[str], np.ndarray] | None:
    """Clip ids and scores (N, K) of a fold; None if they were not kept. Raises UserError for a damaged file."""
    path = run.fold(fold) / FILE
    if not path.exists():
        return None
    try:
        clips, _, scores_NK = read_predictions(path)
    except ValueError as error:
        raise UserError(
            f"{path}: damaged ({error}); restore a copy of it, or remove it to compare metrics only"
        ) from None
    return clips, scores_NK


def seeds_of(run: RunFolder) -> Iterator[RunResults]:
    """Results of the runs beside this one that differ only in their seed, this one included; damaged ones are left
    out."""
    own = read_row(run.path)
    if own is None:
        return
    for path in sorted(run.path.absolute().parent.glob(f"*/{ROW}")):
        with suppress(UserError):
            other, results = read_row(path.parent), RunFolder(path.parent).read_results(remake=False)
            if other is not None and (other.name, other.dataset) == (own.name, own.dataset) and results is not None:
                yield results
