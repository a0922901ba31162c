"""The size of a search, and the cells of the trials that it has asked for: what plan, status and dry run know of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

from filelock import FileLock

from audiosurvey.runs.results.stored import write_json
from audiosurvey.survey.cell import Cell, PlannedCell
from audiosurvey.survey.folder import CellStates, SurveyFolder, read_if_there
from audiosurvey.survey.search.spec import SearchSpec


@dataclass(frozen=True)
class PlannedSearch:
    """A search as plan.json names it."""

    identity: str
    """Another space, recipe (config, data, conditions) or seed is another search; more trials are the same search."""
    trials: int
    """With the scheme `nested`, those for all tested folds together."""
    splits: int
    """Cells of each trial."""

    @classmethod
    def of(
        cls, spec: SearchSpec, recipe: str, seed: int, *, tested: Sequence[int], folds: Sequence[int]
    ) -> "PlannedSearch":
        """`recipe`: hash of all that determines a result except seed and fold. `tested`: those of `folds` to train."""
        text = f"{spec.model_dump_json(exclude={'trials'})} {recipe} {seed}"
        identity = blake2b(text.encode(), digest_size=4).hexdigest()
        trials = spec.trials * (len(tested) if spec.scheme == "nested" else 1)
        return cls(identity, trials, len(folds) if spec.scheme == "pooled" else 1)


SEARCHED = "-searched"


def searched_name(row: str) -> str:
    """The row that is trained with what a search of `row` has found."""
    return row + SEARCHED


class AskedTrials:
    """The file search/cells-IDENTITY.json: the trials so far, by name, each with its cells (none if its values do not
    fit together). Each search has its own, so that one can be taken up again after another."""

    def __init__(self, folder: SurveyFolder, search: PlannedSearch) -> None:
        self._path = folder.path / "search" / f"cells-{search.identity}.json"

    def read(self) -> dict[str, list[PlannedCell]]:
        """Empty before the first trial."""
        found: dict[str, Any] = read_if_there(self._path) or {}
        return {name: [PlannedCell(**cell) for cell in cells] for name, cells in found.get("trials", {}).items()}

    def add(self, trials: Mapping[str, Sequence[Cell]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_suffix(".lock")):
            known = self.read() | {name: [cell.planned for cell in cells] for name, cells in trials.items()}
            shown = {name: [asdict(cell) for cell in cells] for name, cells in known.items()}
            write_json(self._path, {"schema": 1, "trials": shown})


@dataclass(frozen=True)
class TrialCells:
    """The cells of a search: those of trials that were asked for, and how many there will be."""

    asked: list[PlannedCell]
    """Each once, though two trials may have the same values."""
    total: int

    @classmethod
    def read(cls, folder: SurveyFolder, search: PlannedSearch) -> "TrialCells":
        trials = AskedTrials(folder, search).read()
        cells = {cell.id: cell for asked in trials.values() for cell in asked}
        return cls(list(cells.values()), len(cells) + max(0, search.trials - len(trials)) * search.splits)

    def pending(self, states: CellStates, *, retry_failed: bool = False) -> int:
        """Cells to train, with `retry_failed` also those that failed."""
        ended = (states.done if retry_failed else states.ended) | states.pruned
        return self.total - sum(cell.id in ended for cell in self.asked)
