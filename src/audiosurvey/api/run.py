"""A run as an object: its results, models, predictions and figures."""

import html
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosurvey.api.arguments import PathLike
from audiosurvey.api.state import keeps_state
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.runs.results.fold_predictions import read_fold_predictions
from audiosurvey.runs.results.results import FoldRow, RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.run_predictions import RunPredictions
from audiosurvey.runs.validity import caveats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from audiosurvey.artefact.classifier import Classifier
    from audiosurvey.config.root import Config
    from audiosurvey.training.metrics import Metrics


class Run:
    """A run folder with results. Made by `audiosurvey.train` and `audiosurvey.open_run`; notebooks show a table of it.

    Attributes:
        path: the run folder.
        results: the content of results.json as typed data.
    """

    def __init__(self, path: Path, results: RunResults) -> None:
        self.path = path
        self.results = results
        self._folder = RunFolder(path)

    @cached_property
    def config(self) -> "Config":
        """The config that it was trained with, every value filled in."""
        return self._folder.read_config()

    @property
    def folds(self) -> tuple[int, ...]:
        """Numbers of the folds that have ended."""
        return tuple(self.results.done)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of scores."""
        return tuple(self.results.classes)

    @property
    def mean(self) -> "Metrics":
        """Mean of each metric over the folds, by name; shares, not percentages."""
        return dict(self.results.mean)

    @property
    def std(self) -> "Metrics":
        """Sample standard deviation of each metric over the folds, by name; None with one fold."""
        return dict(self.results.std)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What has to be said of the mean, a line each."""
        return tuple(caveats(self.results))

    def fold(self, number: int) -> "Fold":
        """One fold that has ended.

        Args:
            number: of the fold, from 1.

        Returns:
            Its results, model and predictions.

        Raises:
            UserError: if there is no such fold, or it has not ended.
        """
        row = next((row for row in self.results.folds if row.fold == number), None)
        if row is None:
            there = ", ".join(map(str, self.folds)) or "none"
            raise UserError(f"{self.path}: fold {number} has no results; folds that have ended: {there}")
        return Fold(self, row)

    def predictions(self) -> RunPredictions:
        """The scores of the test clips of all folds that have ended, each by the model that was not trained on it.

        Returns:
            One row for each clip, fold after fold.

        Raises:
            UserError: if a file of predictions is missing or damaged.
        """
        return RunPredictions.of([self._table(fold) for fold in self.folds], multi_label=self.results.multi_label)

    @keeps_state
    def model(self) -> "Classifier":
        """The final model, trained on the clips of all folds.

        Returns:
            The model, on the CPU, as `audiosurvey.load` gives it.

        Raises:
            UserError: if the run has none.
        """
        from audiosurvey.artefact.folder import load_artefact

        if not self._folder.model.exists():
            raise ArgumentError(
                f"{self.path}: has no final model; train with {{final}} and {{resume}}, or take that of a fold",
                final=True,
                resume=True,
            )
        return load_artefact(self._folder.model)

    @keeps_state
    def plot_confusion(self) -> "Figure":
        """The confusion matrix over all folds that have ended.

        Returns:
            A matplotlib figure: rows are true classes, columns predictions, with the counts.

        Raises:
            UserError: for a data set with several labels per clip, which has none.
        """
        from audiosurvey.reporting.run_figures import confusion_of

        if not self.results.confusion:
            raise UserError(f"{self.path}: clips have several labels, so there is no confusion matrix")
        return confusion_of(self.results)

    @keeps_state
    def plot_curves(self) -> "Figure":
        """Loss and score over the epochs, a line for each fold, and their means.

        Returns:
            A matplotlib figure.
        """
        from audiosurvey.reporting.run_figures import curves_of

        return curves_of(self._folder, self.results)

    def __repr__(self) -> str:
        name = "map" if self.results.multi_label else "accuracy"
        value = self.results.mean.get(name)
        folds = ", ".join(map(str, self.folds)) or "none yet"
        return f"<Run {self.path}: {name} {'-' if value is None else format(value, '.4f')}, folds {folds}>"

    def _repr_html_(self) -> str:
        names = list(self.results.mean)
        rows = [(str(row.fold), row.metrics(names)) for row in self.results.folds]
        rows += [("mean", self.results.mean), ("std", self.results.std)] if len(self.folds) > 1 else []
        head = "".join(f"<th>{html.escape(name)}</th>" for name in ("fold", *names))
        body = "".join(f"<tr><th>{fold}</th>{_cells(names, values)}</tr>" for fold, values in rows)
        notes = "".join(f"<br>{html.escape(line)}" for line in self.caveats)
        title = f"{self.path}: {self.results.dataset.title}, {len(self.classes)} classes"
        return (
            f"<table><caption>{html.escape(title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><small>{notes.removeprefix('<br>')}</small>"
        )

    def _table(self, fold: int) -> Any:
        return read_fold_predictions(self._folder, self.results, fold)


class Fold:
    """A fold of a run that has ended.

    Attributes:
        run: the run that it belongs to.
        number: of the fold, from 1.
        results: its row of the results: metrics, numbers of clips and epochs, seconds.
    """

    def __init__(self, run: Run, row: FoldRow) -> None:
        self.run, self.number, self.results = run, row.fold, row

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.run.path / f"fold-{self.number}"

    @property
    def metrics(self) -> "Metrics":
        """Its metrics by name, of the test clips."""
        return self.results.metrics(self.run.results.metric_names)

    @keeps_state
    def model(self) -> "Classifier":
        """The model of the fold, trained without its test clips.

        Returns:
            The model, on the CPU, as `audiosurvey.load` gives it.

        Raises:
            UserError: if it was not kept.
        """
        from audiosurvey.artefact.folder import load_artefact

        place = self.path / "model"
        if not place.exists():
            raise UserError(f"{place}: its model was not kept; train the run again (in a survey: with keep: model)")
        return load_artefact(place)

    def predictions(self) -> RunPredictions:
        """The scores of the test clips.

        Returns:
            One row for each clip.

        Raises:
            UserError: if the file is missing or damaged.
        """
        return RunPredictions.of([self.run._table(self.number)], multi_label=self.run.results.multi_label)

    def history(self) -> "Sequence[Mapping[str, Any]]":
        """What was recorded after each epoch.

        Returns:
            The lines of metrics.jsonl: losses, scores, learning rate and seconds by name.
        """
        from audiosurvey.runs.results.fold_log import read_history

        return read_history(self.path)

    def __repr__(self) -> str:
        return f"<Fold {self.number} of {self.run.path}>"


def open_run(path: PathLike) -> Run:
    """Opens a run that was trained before. Its data are not needed.

    Args:
        path: the run folder.

    Returns:
        The run, with the results of the folds that have ended.

    Raises:
        UserError: if there is no run, none of its folds has ended, or a file is damaged.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected a run")
    return Run(folder, RunFolder(folder).require_results())


def _cells(names: Sequence[str], values: "Metrics") -> str:
    found = (values.get(name) for name in names)
    return "".join(f"<td>{'-' if value is None else format(value, '.4f')}</td>" for value in found)
