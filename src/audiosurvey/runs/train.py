"""A whole run: pretraining, the folds, the final model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from audiosurvey.config.loader import LoadedConfig
from audiosurvey.errors import StoppedRun
from audiosurvey.runs.listener import RunListener
from audiosurvey.runs.plan import RunPlan, TrainOptions, TrainResult, plan_run
from audiosurvey.threads import threads


class TrainListener(RunListener):
    """Also listens to what a run is about to do. This one stays silent."""

    def planned(self, plan: RunPlan, notes: Sequence[str]) -> None:
        """The run begins; `notes`: changes of the environment since it began the first time."""

    def before_folds(self, plan: RunPlan) -> None:
        """The pending folds are about to be trained. Called in every process: a forecast needs all of them."""

    def before_final(self, plan: RunPlan) -> None:
        """The final model is about to be trained."""


def train(loaded: LoadedConfig, options: TrainOptions, listener: TrainListener = TrainListener()) -> TrainResult:
    """Pretrains if the config says so, then trains one model per fold, and with `options.final` one on all folds.

    Of several processes (torchrun) only the main one writes and calls the listener.
    """
    with threads(options.threads or torch.get_num_threads()):
        plan = plan_run(loaded, options, listener.bar)
        main = plan.context.is_main
        everywhere, listener = listener, listener if main else TrainListener()
        with stoppable(plan.folder.path), plan.folder.lock() if main else nullcontext():
            notes = plan.begin()
            # No process writes into the folder before the main one has found it fit for this run.
            plan.context.accelerator.wait_for_everyone()
            listener.planned(plan, notes)
            pending = plan.pending
            if pending:
                everywhere.before_folds(plan)
            if pending or plan.final_pending:
                plan = plan.pretrained(listener)
                plan.run_folds(listener)
            plan.choose_thresholds()
            if plan.final_pending:
                listener.before_final(plan)
                plan.run_final(listener)
            results = plan.results()
            if not pending:
                listener.recorded(plan.folder, results)
        return TrainResult(plan.folder.path, results)


@contextmanager
def stoppable(folder: Path) -> Iterator[None]:
    """Ctrl-C in the block names the run folder."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise StoppedRun(folder) from stop
