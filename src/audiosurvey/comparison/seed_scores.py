"""The predictions of one seed: its files joined, checked against each other and against its results."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audiosurvey.comparison.sources import SeedSource
from audiosurvey.errors import UserError, some_of
from audiosurvey.runs.results.fold_predictions import read_fold_predictions
from audiosurvey.runs.results.predictions import PredictionTable, read_prediction_table
from audiosurvey.runs.results.run_folder import RunFolder

_SHOWN = 3


@dataclass(frozen=True)
class SeedScores:
    """All tested clips of one seed, in the order of its files."""

    path: Path
    clips: tuple[str, ...]
    recordings: tuple[str | None, ...]
    fold_N: np.ndarray
    """Numbers of the folds."""
    classes: tuple[str, ...]
    truth_NK: np.ndarray
    scores_NK: np.ndarray
    multi_label: bool
    ratio_of: Mapping[int, float]
    """n_test/n_train by fold; 0 where the training clips are not known."""

    @property
    def ratio(self) -> float:
        """n_test/n_train, averaged over the folds whose clips are here."""
        return float(np.mean([self.ratio_of[fold] for fold in self.folds]))

    @property
    def folds(self) -> list[int]:
        return np.unique(self.fold_N).tolist()

    def restricted(self, folds: Collection[int]) -> "SeedScores":
        """The clips of these folds."""
        return self.taken(np.flatnonzero(np.isin(self.fold_N, list(folds))))

    def taken(self, rows_N: np.ndarray) -> "SeedScores":
        """These rows, in this order."""
        return replace(
            self,
            clips=tuple(self.clips[row] for row in rows_N),
            recordings=tuple(self.recordings[row] for row in rows_N),
            fold_N=self.fold_N[rows_N],
            truth_NK=self.truth_NK[rows_N],
            scores_NK=self.scores_NK[rows_N],
        )

    def with_classes(self, classes: tuple[str, ...]) -> "SeedScores":
        """The same classes in this order."""
        columns = [self.classes.index(name) for name in classes]
        return replace(self, classes=classes, truth_NK=self.truth_NK[:, columns], scores_NK=self.scores_NK[:, columns])


def read_seed(source: SeedSource) -> SeedScores:
    """Reads the files of a seed. Raises UserError for faults in a file, or files that contradict each other."""
    results = source.results
    if results is None:
        tables = [read_prediction_table(path) for path in source.files]
    else:
        tables = [read_fold_predictions(RunFolder(source.path), results, fold) for fold in results.done]
    _check_joined(tables)
    fold_N = np.concatenate([table.folds_N for table in tables])
    return SeedScores(
        path=source.path,
        clips=tuple(clip for table in tables for clip in table.clips),
        recordings=tuple(name for table in tables for name in table.sources),
        fold_N=fold_N,
        classes=tables[0].classes,
        truth_NK=np.concatenate([table.truth_NK for table in tables]),
        scores_NK=np.concatenate([table.scores_NK for table in tables]),
        multi_label=results.multi_label if results else any(table.multi_label for table in tables),
        ratio_of=_test_shares(fold_N, source),
    )


def _check_joined(tables: list[PredictionTable]) -> None:
    seen: dict[str, Path] = {}
    for table in tables:
        place = table.path.as_posix()
        if table.classes != tables[0].classes:
            raise UserError(
                f"{place}: other p: columns than {tables[0].path.as_posix()}; a model has the same in all files"
            )
        if twice := [clip for clip in table.clips if clip in seen]:
            other = seen[twice[0]].as_posix()
            raise UserError(f"{place}: {some_of(twice, _SHOWN)} in {other} too; each clip must be tested only once")
        seen |= dict.fromkeys(table.clips, table.path)


def _test_shares(fold_N: np.ndarray, source: SeedSource) -> dict[int, float]:
    """From the results, else from the clips of the other folds."""
    rows = source.results.folds if source.results else []
    if rows and all(row.train_clips for row in rows):
        return {row.fold: row.clips / row.train_clips for row in rows}
    folds, counts = np.unique(fold_N, return_counts=True)
    shares = counts / (len(fold_N) - counts) if len(folds) > 1 else np.zeros(len(folds))
    return dict(zip(folds.tolist(), shares.tolist(), strict=True))
