"""The size of a search and the cells of its trials so far, for the plan, the status and the dry run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from filelock import FileLock

from audiosurvey.runs.results.stored import write_json
from audiosurvey.surveys.cell import Cell, PlannedCell
from audiosurvey.surveys.folder import CellStates, SurveyFolder, read_if_there
from audiosurvey.surveys.search.spec import SearchSpec


@dataclass(frozen=True)
class PlannedSearch:
    """A search as plan.json names it."""

    identity: str
    """Another space, recipe (config, data, conditions) or seed is another search; more trials are the same search."""
    trials: int
    """With the scheme `nested`, those for all tested folds together."""
    splits: int
    """Cells of each trial."""
    folds: list[int] = field(default_factory=list)
    """With the scheme `nested`, the tested folds, each of which has trials of its own; else empty."""

    @classmethod
    def of(
        cls, spec: SearchSpec, recipe: str, seed: int, *, tested: Sequence[int], folds: Sequence[int]
    ) -> "PlannedSearch":
        """`recipe`: hash of all that determines a result except seed and fold. `tested`: those of `folds` to train."""
        text = f"{spec.model_dump_json(exclude={'trials'})} {recipe} {seed}"
        identity = blake2b(text.encode(), digest_size=4).hexdigest()
        nested = list(tested) if spec.scheme == "nested" else []
        return cls(identity, spec.trials * (len(nested) or 1), len(folds) if spec.scheme == "pooled" else 1, nested)

    def missing(self, names: Iterable[str]) -> int:
        """Trials that are still to be asked for, if these have been."""
        endings = Counter(name.partition(_FOR_FOLD)[2] for name in names)
        keys = [str(fold) for fold in self.folds] or [""]
        return sum(max(0, self.trials // len(keys) - endings[key]) for key in keys)

    def has(self, name: str) -> bool:
        """Whether this is a trial for one of the tested folds."""
        return not self.folds or name.partition(_FOR_FOLD)[2] in map(str, self.folds)


_FOR_FOLD = " for fold "


def trial_name(number: int, fold: int | None) -> str:
    """`fold`: the tested fold that the trial is for; None: all."""
    return f"trial {number}" + (f"{_FOR_FOLD}{fold}" if fold else "")


TRIALS = "trials"
"""Name of the row of all trials of a search."""
SEARCHED = "-searched"


def searched_name(row: str) -> str:
    """The row that is trained with what a search of `row` has found."""
    return row + SEARCHED


class AskedTrials:
    """The file search/cells-IDENTITY.json: the trials so far, by name, each with its cells (none if its values do not
    fit together). Each search has its own, so that one can be taken up again after another.

    A search that was started over is in cells-IDENTITY-2.json, and so on.
    """

    def __init__(self, folder: SurveyFolder, search: PlannedSearch) -> None:
        self._folder, self._search = folder.path / "search", search
        self.number = 1
        """How often the search was begun, this time included."""
        while self._file(self.number + 1).exists():
            self.number += 1

    def begin_anew(self) -> None:
        """From now on there are no trials."""
        self.number += 1
        self.add({})

    def _file(self, number: int) -> Path:
        return self._folder / (f"cells-{self._search.identity}" + (f"-{number}" if number > 1 else "") + ".json")

    def cells(self) -> list[PlannedCell]:
        """Those of all trials, each once, though two trials may have the same values."""
        return list({cell.id: cell for cells in self.read().values() for cell in cells}.values())

    def read(self) -> dict[str, list[PlannedCell]]:
        """Trials for folds that are no longer tested are left out."""
        return {name: cells for name, cells in self._read_all().items() if self._search.has(name)}

    def _read_all(self) -> dict[str, list[PlannedCell]]:
        found: dict[str, Any] = read_if_there(self._file(self.number)) or {}
        return {name: [PlannedCell(**cell) for cell in cells] for name, cells in found.get("trials", {}).items()}

    def add(self, trials: Mapping[str, Sequence[Cell]]) -> None:
        path = self._file(self.number)
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            known = self._read_all() | {name: [cell.planned for cell in cells] for name, cells in trials.items()}
            shown = {name: [asdict(cell) for cell in cells] for name, cells in known.items()}
            write_json(path, {"schema": 1, "trials": shown})


@dataclass(frozen=True)
class TrialCells:
    """The cells of a search: those of trials that were asked for, and how many there will be."""

    asked: list[PlannedCell]
    total: int

    @classmethod
    def read(cls, folder: SurveyFolder, search: PlannedSearch) -> "TrialCells":
        trials = AskedTrials(folder, search)
        cells = trials.cells()
        return cls(cells, len(cells) + search.missing(trials.read()) * search.splits)

    def pending(self, states: CellStates, *, retry_failed: bool = False) -> int:
        """Cells to train, with `retry_failed` also those that failed."""
        ended = (states.done if retry_failed else states.ended) | states.pruned
        return self.total - sum(cell.id in ended for cell in self.asked)
