"""The command `survey`: trains a survey, plans it, or shows its status."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiosurvey.config.loader import load_config
from audiosurvey.detection.training import train_run
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.results.results import OWN_RECIPES, RunResults
from audiosurvey.runs.results.row import read_row
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.train import TrainListener
from audiosurvey.surveys.derived import derive_runs, leaving_models, run_name, set_aside_others
from audiosurvey.surveys.done import models_not_kept
from audiosurvey.surveys.dry_run import SurveyForecast, forecast_survey
from audiosurvey.surveys.executors.executor import Executor
from audiosurvey.surveys.executors.inline import InlineExecutor
from audiosurvey.surveys.executors.processes import ProcessExecutor
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.planning.grid import expand
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.planning.place import find_survey, survey_folder
from audiosurvey.surveys.planning.plan import SurveyPlan, begin, extended, make_plan
from audiosurvey.surveys.planning.reading import load_survey
from audiosurvey.surveys.planning.reserved import refuse_reserved
from audiosurvey.surveys.planning.stored_plan import read_plan, stored_cells
from audiosurvey.surveys.replaced import holds
from audiosurvey.surveys.search.found import BestRecipe, best_rows
from audiosurvey.surveys.search.recipes import check_space
from audiosurvey.surveys.search.search import Search
from audiosurvey.surveys.session import prepare_cells, set_aside_damaged, work
from audiosurvey.surveys.shard import Shard
from audiosurvey.surveys.status import StatusReader, SurveyStatus


@dataclass(frozen=True)
class SurveyOptions:
    """The options of `survey` besides the survey file."""

    run_dir: Path | None = None
    """None: surveys/NAME."""
    jobs: int = 1
    """Cells trained side by side."""
    ray: str | None = None
    """`local`, or the address of a Ray cluster."""
    shard: Shard = field(default_factory=Shard)
    retry_failed: bool = False
    fresh: bool = False
    """Train cells again that another version has trained."""
    overrides: Sequence[str] = ()
    """`KEY=VALUE`, for every config."""


@dataclass
class OpenSurvey:
    """A survey that is planned: its cells are known, its data are prepared."""

    plan: SurveyPlan
    options: SurveyOptions
    opener: Opener

    def __post_init__(self) -> None:
        self.reader = StatusReader(self.plan.folder, self.plan.planned, self.plan.search)
        """Of all cells, those of other shards too."""

    def train(self, listener: SurveyListener = SurveyListener()) -> SurveyStatus:
        """Searches if the survey says so, trains what is missing, and returns where the survey stands then."""
        options = self.options
        for line in (*self.plan.notes, *self._not_kept):
            listener.say(line)
        begin(self.plan)
        if self.plan.search is not None:
            # Results of all rows are shown while it searches.
            set_aside_others(self.plan, listener.say)
            set_aside_damaged(self.plan.folder, self.plan.planned, listener)
            self.search(listener)
        plan = self.plan
        mine = options.shard.of_cells(plan.cells)
        cells = prepare_cells(plan, mine, listener, retry_failed=options.retry_failed, fresh=options.fresh)
        self.reader.forget()
        try:
            work(plan, cells, self._executor, listener)
        except KeyboardInterrupt:
            derive_runs(plan, listener.say)
            raise
        return self.reader.read()

    def search(self, listener: SurveyListener) -> list[BestRecipe]:
        """Runs the trials that are missing, and adds the rows of the recipes that were found to the plan."""
        if self.options.shard != Shard():
            raise ArgumentError(
                "{shard}: cannot be combined with a search, whose trials depend on each other; leave it out", shard=...
            )
        row = self.plan.rows[0]
        assert self.plan.search is not None, "there is a search"
        found = Search(
            self.plan.survey, self.plan.folder, row, self.plan.conditions, self.plan.search, self.opener, listener
        )
        options = self.options
        best = found.run(self._executor, retry_failed=options.retry_failed, fresh=options.fresh)
        self.plan = extended(self.plan, best_rows(row, best), self.opener)
        self.reader.cells = self.plan.planned
        return best

    @property
    def notes(self) -> list[str]:
        """What a dry run has to say besides the forecast."""
        return [*self.plan.notes, *self._not_kept, *leaving_models(self.plan)]

    @property
    def _not_kept(self) -> list[str]:
        return models_not_kept(self.plan.folder, self.plan.cells, self.plan.survey.spec.keep)

    def forecast(self, bar: OpenBar) -> SurveyForecast:
        """The cost of what is missing; a few steps of each config are trained."""
        mine = self.options.shard.of_cells(self.plan.cells)
        options = self.options
        # A cluster, and tasks of a job array, have cores of their own.
        alone = options.ray is None and options.shard == Shard()
        return forecast_survey(
            self.plan,
            mine,
            options.jobs,
            self.opener,
            bar,
            retry_failed=options.retry_failed,
            propose_jobs=alone,
        )

    def _executor(self) -> Executor:
        options, conditions = self.options, self.plan.conditions
        if options.ray is not None:
            from audiosurvey.surveys.executors.ray_cluster import RayExecutor

            workers = options.jobs if options.jobs > 1 else None
            return RayExecutor(options.ray, workers=workers, threads=conditions.threads, device=conditions.device)
        return ProcessExecutor(options.jobs) if options.jobs > 1 else InlineExecutor(self.opener)


def open_survey(path: Path, options: SurveyOptions, bar: OpenBar = no_bar) -> OpenSurvey:
    """Reads a survey file, checks every config and prepares the data. Raises UserError, located in the file."""
    place = find_survey(path, options.run_dir)
    survey = load_survey(place.file, place.origin)
    given = options.overrides
    overrides = [*(word for word in place.overrides if word not in given), *given]
    refuse_reserved(survey.spec, overrides)
    recipes = expand(survey, overrides)
    check_space(survey, recipes[0])
    opener = Opener(bar)
    return OpenSurvey(make_plan(survey, recipes, place.folder, opener), options, opener)


def final_run(path: Path, name: str) -> RunFolder:
    """The run of a row of a survey: `NAME`, or `NAME-seedS`. All its folds must be done."""
    folder = survey_folder(path)
    cells = stored_cells(folder)
    of_run = {run_name(cell.row, cell.seed): cell for cell in cells}.get(name)
    of_row = next((cell for cell in cells if cell.row == name), None)
    if of_run is not None and of_row is not None:
        raise ArgumentError(
            f"{{final}}: is a row, and also seed {of_run.seed} of {of_run.row}; "
            f"give {run_name(of_row.row, of_row.seed)} for the row, or another name to one of them in the survey file",
            final=name,
        )
    found = of_run or of_row
    if found is None:
        rows = ", ".join(dict.fromkeys(cell.row for cell in cells))
        raise ArgumentError(f"{{final}}: no such row in {path}; its rows are {rows}", final=name)
    done = folder.states().done
    missing = [cell.fold for cell in cells if (cell.row, cell.seed) == (found.row, found.seed) and cell.id not in done]
    if missing:
        folds = ", ".join(map(str, missing))
        raise ArgumentError(f"{{final}}: fold {folds} is not done; run the survey to its end first", final=name)
    run = RunFolder(folder.runs / run_name(found.row, found.seed))
    ids = {str(cell.fold): cell.id for cell in cells if (cell.row, cell.seed) == (found.row, found.seed)}
    row = read_row(run.path)
    if row is None or row.cells != ids or not holds(folder, run, ids):
        again = f"run 'audiosurvey survey {folder.path.as_posix()}', which makes it from its cells"
        raise UserError(f"{run.path.as_posix()}: missing or not up to date; {again}")
    results = run.require_results()
    if results.own_recipes:
        best = folder.path / "search" / "best-fold-*.yaml"
        raise ArgumentError(
            f"{{final}}: {OWN_RECIPES}; choose one of {best}, and train it as a config of its own", final=name
        )
    return run


@dataclass(frozen=True)
class FinalModel:
    """The model of a row, trained on all folds."""

    path: Path
    """The model folder."""
    results: RunResults
    """Of the folds."""

    def as_json(self) -> dict[str, Any]:
        return {"model": self.path.as_posix(), "results": self.results.as_json()}


def train_final(path: Path, row: str, listener: TrainListener = TrainListener()) -> FinalModel:
    """Trains one model of a row on the clips of all folds. Its own folds must be done; none is trained here."""
    run = final_run(path, row)
    results = run.require_results()
    conditions = read_plan(survey_folder(path))["conditions"]
    # Those of its folds: with another number of threads the last digits would differ.
    number = run.begun_with().get("torch_threads", conditions["threads"])
    options = TrainOptions(run.path, results.done, resume=True, final=True, device=conditions["device"], threads=number)
    trained = train_run(load_config(run.config_path), options, listener)
    return FinalModel(run.model, trained.results)
