"""Predictions of clips as columns: the test clips of the folds of a run, or the clips that a model was evaluated on."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from audiosurvey.data.table import Clip, truth
from audiosurvey.runs.results.predictions import PredictionRow, PredictionTable, write_rows
from audiosurvey.training.class_metrics import decisions

_Predictions = TypeVar("_Predictions", bound="RunPredictions")


@dataclass(frozen=True)
class RunPredictions:
    """Test clips with their scores, one row for each clip.

    Attributes:
        clips: ids of the N clips.
        sources: the recording of each clip, None if unknown.
        folds: number of the fold that each clip was tested in; 0 for clips of a data set without folds.
        classes: names of the K classes.
        truth_NK: bool (N, K), whether a clip has the label.
        scores_NK: float (N, K), uncalibrated probabilities.
        multi_label: whether clips may have several labels.
    """

    clips: tuple[str, ...]
    sources: tuple[str | None, ...]
    folds: tuple[int, ...]
    classes: tuple[str, ...]
    truth_NK: np.ndarray
    scores_NK: np.ndarray
    multi_label: bool = False

    @classmethod
    def of(cls, tables: Sequence[PredictionTable], *, multi_label: bool) -> Self:
        """Joins the tables of folds."""
        return joined_predictions(
            [
                cls(
                    tuple(one.clips),
                    tuple(one.sources),
                    tuple(int(fold) for fold in one.folds_N),
                    one.classes,
                    one.truth_NK,
                    one.scores_NK,
                    multi_label,
                )
                for one in tables
            ]
        )

    def without(self, clips: Collection[str]) -> Self:
        """Those of the other clips.

        Args:
            clips: ids of clips to leave out.

        Returns:
            A row for each clip that is left.
        """
        kept = np.array([clip not in clips for clip in self.clips], dtype=bool)
        rows = np.flatnonzero(kept).tolist()
        return replace(
            self,
            clips=tuple(self.clips[row] for row in rows),
            sources=tuple(self.sources[row] for row in rows),
            folds=tuple(self.folds[row] for row in rows),
            truth_NK=self.truth_NK[kept],
            scores_NK=self.scores_NK[kept],
        )

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def labels(self) -> tuple[Any, ...]:
        """The true class of each clip; with several labels a tuple of classes."""
        return self._names(self.truth_NK)

    @property
    def predicted(self) -> tuple[Any, ...]:
        """The class with the highest score; with several labels a tuple of those with a score of at least 0.5."""
        return self._names(decisions(self.scores_NK, self.multi_label))

    def columns(self) -> Mapping[str, Any]:
        """The columns of a data frame: `pandas.DataFrame(run.predictions().columns())`.

        Returns:
            clip, source, fold, label, predicted, and `p:CLASS` with the score of each class.
        """
        scores = {f"p:{name}": self.scores_NK[:, place] for place, name in enumerate(self.classes)}
        own = {"clip": self.clips, "source": self.sources, "fold": self.folds}
        return {**own, "label": self.labels, "predicted": self.predicted, **scores}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes them as a predictions.csv, whole or not at all.

        Args:
            path: the file.

        Raises:
            OSError: if it cannot be written.
        """
        labels = [np.flatnonzero(true_K).tolist() for true_K in self.truth_NK]
        rows = [PredictionRow(*one) for one in zip(self.clips, self.sources, self.folds, labels, strict=True)]
        write_rows(Path(path), rows, self.classes, self.scores_NK, multi_label=self.multi_label)

    def _names(self, chosen_NK: np.ndarray) -> tuple[Any, ...]:
        found = [tuple(self.classes[place] for place in np.flatnonzero(row)) for row in chosen_NK]
        return tuple(found) if self.multi_label else tuple(names[0] for names in found)


def scored_predictions(
    clips: Sequence[Clip], classes: Sequence[str], scores_NK: np.ndarray, *, fold: int, multi_label: bool
) -> RunPredictions:
    """Clips that were scored now, as those of fold `fold`."""
    return RunPredictions(
        tuple(clip.id for clip in clips),
        tuple(clip.source for clip in clips),
        (fold,) * len(clips),
        tuple(classes),
        truth(clips, len(classes)) > 0,
        scores_NK,
        multi_label,
    )


def joined_predictions(parts: Sequence[_Predictions]) -> _Predictions:
    """Those of several folds, one after the other."""
    return replace(
        parts[0],
        clips=tuple(clip for part in parts for clip in part.clips),
        sources=tuple(source for part in parts for source in part.sources),
        folds=tuple(fold for part in parts for fold in part.folds),
        truth_NK=np.concatenate([part.truth_NK for part in parts]),
        scores_NK=np.concatenate([part.scores_NK for part in parts]),
    )
