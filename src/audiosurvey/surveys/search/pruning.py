"""Median pruning: follows the epochs of running trials, and asks those below the median of earlier trials to stop."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from audiosurvey.runs.background import in_background
from audiosurvey.runs.results.fold_log import read_history
from audiosurvey.surveys.cell import Cell, PlannedCell
from audiosurvey.surveys.folder import SurveyFolder
from audiosurvey.surveys.search.study import below_median

_LOOK_EVERY = 1.0
"""Seconds between looks at the epochs of running trials."""

Curve = list[float]
"""The score on the validation fold after each epoch."""


class MedianPruning:
    """Compares trials with earlier trials on the same split only.

    Scores on another validation fold say little about this one. With the scheme `nested` each split has a search of its
    own, and the validation fold of one is the tested fold of another.
    """

    def __init__(self, folder: SurveyFolder, metric: str) -> None:
        self._folder, self._metric = folder, metric
        self._ended: dict[int, dict[str, Curve]] = defaultdict(dict)
        """By tested fold of the split, then by id of the cell."""

    @contextmanager
    def following(self, cells: Sequence[Cell]) -> Iterator[None]:
        """Follows these cells during the block; later ones are compared with them."""
        try:
            with in_background(partial(self._watch, cells)):
                yield
        finally:
            self.remember(cells)

    def remember(self, cells: Sequence[Cell | PlannedCell]) -> None:
        """Later cells are compared with those of these that are done or pruned."""
        for cell in cells:
            folder = self._folder.cell(cell)
            if folder.done or folder.pruned.exists():
                self._ended[cell.fold][cell.id] = self._curve(cell)

    def look(self, cells: Sequence[Cell]) -> None:
        """Asks those of these cells to stop that are below the median after their last epoch."""
        following = {cell.id for cell in cells}
        for cell in cells:
            curve = self._curve(cell)
            ended = [other for key, other in self._ended[cell.fold].items() if key not in following]
            others = [other[len(curve) - 1] for other in ended if len(other) >= len(curve) > 0]
            if others and below_median(curve[-1], others, minimise=self._metric == "loss"):
                with suppress(OSError):
                    self._folder.cell(cell).stop.touch()

    def _watch(self, cells: Sequence[Cell], stop: threading.Event) -> None:
        while not stop.wait(_LOOK_EVERY):
            self.look(cells)

    def _curve(self, cell: Cell | PlannedCell) -> Curve:
        key = f"val_{self._metric}"
        with suppress(OSError):
            return [float(record[key]) for record in read_history(self._folder.cell(cell).path) if key in record]
        return []
