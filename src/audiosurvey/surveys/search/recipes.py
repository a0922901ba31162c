"""From the values of a trial to its config and cells, and to the recipe that a search has found."""

from collections.abc import Sequence
from dataclasses import dataclass

from audiosurvey.config.root import Config
from audiosurvey.errors import UserError
from audiosurvey.surveys.cell import Cell, Conditions, make_cell
from audiosurvey.surveys.planning.grid import Recipe, load_with
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.planning.plan import PlannedRow
from audiosurvey.surveys.planning.reading import LoadedSurvey
from audiosurvey.surveys.search.asked import TRIALS, trial_name
from audiosurvey.surveys.search.found import BestRecipe
from audiosurvey.surveys.search.spec import SearchSpec
from audiosurvey.surveys.search.study import Trial
from audiosurvey.training.metrics import names_for


@dataclass
class TrialRecipes:
    """What a search trains: `row`, with some keys set."""

    survey: LoadedSurvey
    row: PlannedRow
    conditions: Conditions
    opener: Opener

    def __post_init__(self) -> None:
        table = self.opener.sounds(self.row.config.dataset, self.row.config.sample_rate).table
        self._folds = list(table.folds)
        if len(self._folds) < 3:
            raise UserError(
                f"search: needs three folds to hold one out for validation; the data has {len(self._folds)}"
            )
        if not self.row.config.train.epochs:
            raise UserError("search: needs trainings of equal length; give budget: {epochs: N}")
        self.metric = self._metric(table.multi_label)
        """The score by which trials are compared."""

    @property
    def spec(self) -> SearchSpec:
        assert self.survey.spec.search is not None, "there is a search"
        return self.survey.spec.search

    @property
    def seed(self) -> int:
        """Of every trial."""
        return self.survey.spec.seeds[0]

    def _metric(self, multi_label: bool) -> str:
        asked = self.spec.objective
        if asked == "auto":
            return "map" if multi_label else "accuracy"
        if asked not in names_for(multi_label):
            fault = (
                "the clips have several labels; use map, f1"
                if multi_label
                else "the clips have one label each; use accuracy, balanced_accuracy, f1"
            )
            self.survey.refuse(("search", "objective"), [f"{asked}: {fault} or loss"])
        return asked

    def cells(self, fold: int | None, trial: Trial) -> list[Cell]:
        """The cells of a trial: one for each split. `fold`: the tested fold that it is for; None: all."""
        config = self._fixed_length(self._config(trial)).model_copy(update={"seed": self.seed})
        splits = self._folds if self.spec.scheme == "pooled" else [fold or self._folds[0]]
        key = self.opener.key(config)
        return [
            make_cell(trial_name(trial.number, fold), config, split, self.conditions, key, trial=True)
            for split in splits
        ]

    def _config(self, trial: Trial) -> Config:
        return load_with(self.survey, self.row.recipe, trial.values).config

    def _fixed_length(self, config: Config) -> Config:
        """The last epoch is used, and its number is that of the survey."""
        epochs = self.row.config.train.epochs
        return config.model_copy(
            update={
                "train": config.train.model_copy(update={"epochs": epochs, "patience": None}),
                "protocol": config.protocol.model_copy(update={"selection": "last"}),
            }
        )

    def best(self, fold: int | None, trial: Trial, score: float) -> BestRecipe:
        """The recipe that the official folds are trained with, or with the scheme `nested` fold `fold` alone."""
        tuned_on = self._tuned_on(fold)
        config = self._fixed_length(self._config(trial))
        elsewhere = _tuned_on_also(config, tuned_on)
        # Nested: the recipe is tested on `fold`, which had no part in choosing it.
        return BestRecipe(config if fold else elsewhere, elsewhere, fold, trial.values, score)

    def _tuned_on(self, fold: int | None) -> list[int]:
        """Folds on which trials were scored: the validation fold of a split is the fold after the tested one."""
        if self.spec.scheme == "pooled":
            return list(self._folds)
        tested = self._folds.index(fold) if fold else 0
        return [self._folds[(tested + 1) % len(self._folds)]]


def _tuned_on_also(config: Config, folds: Sequence[int]) -> Config:
    """The config, marked as tuned on these folds too."""
    protocol = config.protocol.model_copy(update={"tuned_on": sorted({*config.protocol.tuned_on, *folds})})
    return config.model_copy(update={"protocol": protocol})


def check_space(survey: LoadedSurvey, recipe: Recipe) -> None:
    """Raises UserError, located in the survey file, for keys and bounds that the config does not take, and for a config
    with the name of the row of all trials."""
    search = survey.spec.search
    if search is None:
        return
    if recipe.name == TRIALS:
        survey.refuse(("configs", 0), [f"{TRIALS}: is the row of all trials; give the config another name"])
    faults: list[str] = []
    for key, values in search.space.items():
        bounds = values.choice or values.log or values.uniform or [int(bound) for bound in values.int or []]
        for value in bounds:
            try:
                load_with(survey, recipe, {key: value})
            except UserError as error:
                faults += error.lines
    if faults:
        raise UserError(*dict.fromkeys(faults))
