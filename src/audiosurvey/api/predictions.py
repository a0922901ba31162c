"""The predictions of a run as columns: the test clips of its folds, with their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from audiosurvey.runs.results.predictions import PredictionTable
from audiosurvey.training.class_metrics import THRESHOLD


@dataclass(frozen=True)
class RunPredictions:
    """Test clips with their scores, one row for each clip.

    Attributes:
        clips: ids of the N clips.
        sources: the recording of each clip, None if unknown.
        folds: number of the fold that each clip was tested in.
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
        return cls(
            tuple(clip for table in tables for clip in table.clips),
            tuple(source for table in tables for source in table.sources),
            tuple(int(fold) for table in tables for fold in table.folds_N),
            tables[0].classes,
            np.concatenate([table.truth_NK for table in tables]),
            np.concatenate([table.scores_NK for table in tables]),
            multi_label,
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
        if self.multi_label:
            return self._names(self.scores_NK >= THRESHOLD)
        return tuple(self.classes[int(best)] for best in self.scores_NK.argmax(axis=1))

    def columns(self) -> Mapping[str, Any]:
        """The columns of a data frame: `pandas.DataFrame(run.predictions().columns())`.

        Returns:
            clip, source, fold, label, predicted, and `p:CLASS` with the score of each class.
        """
        scores = {f"p:{name}": self.scores_NK[:, place] for place, name in enumerate(self.classes)}
        own = {"clip": self.clips, "source": self.sources, "fold": self.folds}
        return {**own, "label": self.labels, "predicted": self.predicted, **scores}

    def _names(self, chosen_NK: np.ndarray) -> tuple[Any, ...]:
        found = [tuple(self.classes[place] for place in np.flatnonzero(row)) for row in chosen_NK]
        return tuple(found) if self.multi_label else tuple(names[0] for names in found)
