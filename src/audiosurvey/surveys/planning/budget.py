"""Budgets: how many epochs a number of steps or seconds is."""

from audiosurvey.runs.experiment import Experiment
from audiosurvey.runs.forecast import Forecast, forecast
from audiosurvey.runs.job import clips_to_evaluate
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.surveys.cell import Conditions
from audiosurvey.surveys.planning.spec import Budget
from audiosurvey.threads import threads
from audiosurvey.training.accelerator import make_accelerator

_STEPS = 8
"""More than for one run: a budget is measured once, and other programs may be busy at that moment."""


def settle_epochs(budget: Budget, experiment: Experiment, conditions: Conditions) -> int:
    """Epochs of a budget, at least one. A budget in seconds is measured in a few training steps."""
    if budget.epochs is not None:
        return budget.epochs
    if budget.steps is not None:
        stage = open_stage(experiment, conditions)
        per_epoch = -(-len(stage.batches) // experiment.config.train.accum_iter)
        return max(1, round(budget.steps / per_epoch))
    assert budget.seconds is not None, "one of the three is given"
    measured = measure(experiment, conditions)
    epochs = experiment.config.train.epochs or 1
    return max(1, round(budget.seconds / (measured.steps * measured.seconds_per_step / epochs)))


def measure(experiment: Experiment, conditions: Conditions) -> Forecast:
    """A forecast of the first fold, with the threads of a cell."""
    config, split = experiment.config, next(iter(experiment.splits.values()))
    with threads(conditions.threads):
        stage = open_stage(experiment, conditions)
        clips = clips_to_evaluate(config, split, config.train.epochs or 1)
        put_weights = experiment.init.weights.put_into if experiment.init is not None else None
        return forecast(stage, clips, put_weights=put_weights, steps=_STEPS)


def open_stage(experiment: Experiment, conditions: Conditions) -> Stage:
    """The training of the first fold."""
    config = experiment.config
    fold, split = next(iter(experiment.splits.items()))
    thaws = bool(config.model.thaw)
    accelerator = make_accelerator(conditions.device, conditions.precision_of(config), thaws=thaws)
    return Stage(
        config,
        experiment.sounds,
        split.train,
        accelerator=accelerator,
        settings=config.train,
        name="train",
        fold=fold,
    )
