"""Searches: trials are cells, so they run on every executor and continue after an interruption.

A trial trains on the training folds of a split without its validation fold, for a fixed number of epochs, and is scored
on the validation fold. Neither the trial nor its log holds a score of the test fold.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.runs.results.run_folder import RESULT
from audiosurvey.runs.results.stored import read_json
from audiosurvey.surveys.cell import Cell, Conditions
from audiosurvey.surveys.executors.executor import Executor, Task
from audiosurvey.surveys.folder import SurveyFolder
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.planning.plan import PlannedRow
from audiosurvey.surveys.planning.reading import LoadedSurvey
from audiosurvey.surveys.search.asked import AskedTrials, PlannedSearch, trial_name
from audiosurvey.surveys.search.found import BestRecipe, write_best, write_trials
from audiosurvey.surveys.search.pruning import MedianPruning
from audiosurvey.surveys.search.recipes import TrialRecipes
from audiosurvey.surveys.search.spec import SearchSpec
from audiosurvey.surveys.search.study import Study, Trial, journal_lock, repair_journal
from audiosurvey.surveys.session import (
    forget_out_of_memory,
    of_other_versions,
    run_to_end,
    set_aside_damaged,
    set_aside_older,
)
from audiosurvey.surveys.work import Keeping, Outcome


@dataclass
class Search:
    """The searches of a survey: one, or with the scheme `nested` one for each tested fold."""

    survey: LoadedSurvey
    folder: SurveyFolder
    row: PlannedRow
    conditions: Conditions
    planned: PlannedSearch
    opener: Opener
    listener: SurveyListener = field(default_factory=SurveyListener)

    def __post_init__(self) -> None:
        self._recipes = TrialRecipes(self.survey, self.row, self.conditions, self.opener)
        self._metric = self._recipes.metric
        self._asked = AskedTrials(self.folder, self.planned)
        self._journal = self.folder.path / "search" / "journal.log"
        self._pruning = MedianPruning(self.folder, self._metric)
        self._failures = 0

    @property
    def spec(self) -> SearchSpec:
        assert self.survey.spec.search is not None, "there is a search"
        return self.survey.spec.search

    def run(
        self, executor: Callable[[], Executor], *, retry_failed: bool = False, fresh: bool = False
    ) -> list[BestRecipe]:
        """Runs the trials that are missing, with `retry_failed` also those that failed; writes search/trials.csv and
        the best configs. `fresh`: starts over if another version has trained some of the trials.

        Trials are asked for in rounds, one for each slot of the executor and search.
        """
        set_aside_damaged(self.folder, self._asked.cells(), self.listener)
        if fresh:
            self._begin_anew()
        studies = self._studies()
        self._restore_asked(studies)
        if retry_failed:
            self._forget_failures()
        if self.spec.prune:
            self._pruning.remember(self._asked.cells())
        running: Executor | None = None
        try:
            while self._missing(studies):
                running = running or executor()
                self._train(studies, self._ask(studies, running.slots), running)
                if running.slots > 1 and not self._missing(studies) and self._forget_out_of_memory():
                    running = running.alone()
        finally:
            if running is not None:
                running.close()
        write_trials(self.folder, self.spec, studies)
        best = [self._recipes.best(fold, *study.best()) for fold, study in studies.items()]
        write_best(self.folder, best)
        return best

    def _begin_anew(self) -> None:
        """The scores of trials that were told cannot be changed: there is a new study for the search. It asks for the
        same values as the first, as long as the scores are the same."""
        with journal_lock(self._journal):
            if of_other_versions(self.folder, self._asked.cells()):
                cells = self._asked.cells()
                self._asked.begin_anew()
                set_aside_older(self.folder, cells, self.listener)

    def _studies(self) -> dict[int | None, Study]:
        asked: Sequence[int | None] = list(self.row.folds) if self.spec.scheme == "nested" else [None]
        names = {
            fold: f"{self.spec.scheme}-{self.planned.identity}" + (f"-fold{fold}" if fold else "") for fold in asked
        }
        minimise, number = self._metric == "loss", self._asked.number
        with journal_lock(self._journal):
            if line := repair_journal(self._journal):
                self.listener.say(line)
            return {
                fold: Study(self._journal, name, self.spec, minimise=minimise, number=number)
                for fold, name in names.items()
            }

    def _restore_asked(self, studies: dict[int | None, Study]) -> None:
        """Names the cells of trials that were told, should the file of asked trials be lost."""
        known, lost = self._asked.read(), dict[str, list[Cell]]()
        for fold, study in studies.items():
            for trial, _, state in study.scores():
                name = trial_name(trial.number, fold)
                if name not in known and state != "running":
                    try:
                        lost[name] = self._recipes.cells(fold, trial)
                    except UserError:
                        lost[name] = []
        if lost:
            self._asked.add(lost)

    def _forget_failures(self) -> None:
        """Failed trials are open again, since nothing was told about them."""
        failed = self.folder.states().failed
        for cell in self._asked.cells():
            if cell.id in failed:
                self.folder.cell(cell).forget_failure()

    def _forget_out_of_memory(self) -> bool:
        """Whether there are trials that ran out of memory beside others; they are open again, once."""
        cells = self._asked.cells()
        return bool(forget_out_of_memory(self.folder, cells))

    def _missing(self, studies: dict[int | None, Study]) -> bool:
        """Whether there are trials to train or to ask for."""
        return any(study.asked < self.spec.trials for study in studies.values()) or bool(self._unfinished(studies))

    def _ask(self, studies: dict[int | None, Study], slots: int) -> list[tuple[int | None, Trial]]:
        """Trials that are not finished, also those of other processes; without any, as many new ones as there are
        slots, at least one a study."""
        with journal_lock(self._journal):
            found = self._unfinished(studies)
            room = 0 if found else max(slots, len(studies))
            while len(found) < room:
                asked = [(study.asked, fold or 0, fold) for fold, study in studies.items()]
                behind = [one for one in asked if one[0] < self.spec.trials]
                if not behind:
                    break
                _, _, fold = min(behind)
                found.append((fold, studies[fold].ask()))
            return found

    def _unfinished(self, studies: dict[int | None, Study]) -> list[tuple[int | None, Trial]]:
        """Trials with cells to train, and those that can be told."""
        states, known = self.folder.states(), self._asked.read()
        ended, found = states.ended | states.pruned, list[tuple[int | None, Trial]]()
        for fold, study in studies.items():
            for trial, _, state in study.scores():
                cells = known.get(trial_name(trial.number, fold), [])
                # Also of a trial that was told: its result may have been removed.
                to_train = any(cell.id not in ended for cell in cells)
                failed = any(cell.id in states.failed for cell in cells)
                if to_train or (state == "running" and not failed):
                    found.append((fold, trial))
        return found

    def _train(
        self, studies: dict[int | None, Study], asked: Sequence[tuple[int | None, Trial]], executor: Executor
    ) -> None:
        """Trains the cells of these trials, and tells their scores."""
        running = self._running(studies, asked)
        cells = {cell.id: cell for one in running for cell in one.cells if cell.id in one.left}
        for one in running:
            if not one.left:
                self._tell(one)
        keeping = Keeping("predictions", self.survey.spec.timeout, alone=executor.whole_device)
        tasks = [Task(self.folder.path.absolute(), cell, keeping) for cell in cells.values()]
        with self._pruning.following(list(cells.values())) if self.spec.prune else nullcontext():
            for cell, outcome in run_to_end(executor, tasks, self.listener):
                self.listener.ended(cell, outcome)
                for one in running:
                    if cell.id in one.left:
                        one.left.remove(cell.id)
                        if not one.left:
                            self._tell(one)
                self._count_failure(outcome)

    def _running(
        self, studies: dict[int | None, Study], asked: Sequence[tuple[int | None, Trial]]
    ) -> list["_RunningTrial"]:
        """The cells of trials; those whose values do not fit together, such as a kernel larger than its map, fail."""
        found: list[_RunningTrial] = []
        named: dict[str, list[Cell]] = {}
        impossible: list[tuple[int | None, Trial]] = []
        known = {cell.id for cell in self._asked.cells()}
        for fold, trial in asked:
            try:
                cells = self._recipes.cells(fold, trial)
            except UserError as error:
                self.listener.say(f"search: trial {trial.number}: {error.lines[0]}")
                named[trial_name(trial.number, fold)] = []
                impossible.append((fold, trial))
                continue
            for cell in cells:
                if cell.id not in known:
                    # Another search may have pruned it, in comparison with its own trials.
                    self.folder.cell(cell).forget_pruning()
            named[trial_name(trial.number, fold)] = cells
            found.append(_RunningTrial(studies[fold], trial, cells, set()))
        states = self.folder.states()
        for one in found:
            one.left.update({cell.id for cell in one.cells} - states.ended - states.pruned)
        self._asked.add(named)
        with journal_lock(self._journal):
            for fold, trial in impossible:
                studies[fold].tell(trial, None)
        return found

    def _count_failure(self, outcome: Outcome) -> None:
        most = self.survey.spec.max_failures
        self._failures += outcome == "failed"
        if most is not None and self._failures >= most:
            raise ArgumentError(
                f"search: stopped after {self._failures} failed cells of trials (max_failures); "
                "correct what failed, and run the survey again with {retry_failed}",
                retry_failed=True,
            )

    def _tell(self, one: "_RunningTrial") -> None:
        """Tells what became of a trial whose cells have ended. One with a failed cell stays open in the journal, which
        cannot change the state of a trial that has ended."""
        places = [self.folder.cell(cell) for cell in one.cells]
        with journal_lock(self._journal):
            if all(place.done for place in places):
                scores = [self._score(place.path) for place in places]
                one.study.tell(one.trial, sum(scores) / len(scores))
            elif all(place.done or place.pruned.exists() for place in places):
                one.study.tell(one.trial, None, pruned=True)

    def _score(self, cell: Path) -> float:
        path, mend = cell / RESULT, "remove it; the trial is then trained again"
        row = read_json(path, mend)["folds"][0]
        if self._metric not in row:
            raise UserError(f"{path}: of an earlier version, without {self._metric}; {mend}")
        return float(row[self._metric])


@dataclass(frozen=True)
class _RunningTrial:
    """A trial whose cells are trained."""

    study: Study
    trial: Trial
    cells: list[Cell]
    left: set[str]
    """Ids of its cells that have not ended."""
