"""The final model: trained like the fold models, but on all clips; a model to use, not to score.

No clips are left to measure it: its score is the mean of the folds, and it is calibrated on the predictions of their
models.
"""

import math
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from audiosurvey.artefact.calibration import Calibration
from audiosurvey.config.root import Config
from audiosurvey.data.splits.subset import training_subset
from audiosurvey.data.table import Clip, Table
from audiosurvey.model.network import Network
from audiosurvey.runs.evaluation.calibrating import calibrate_final
from audiosurvey.runs.listener import RunListener
from audiosurvey.runs.results.fold_log import epoch_log
from audiosurvey.runs.results.results import FoldRow, RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import read_json, write_json
from audiosurvey.runs.stages.context import ReadyNetwork, RunContext, show_first_batch
from audiosurvey.runs.stages.layers import equally_mixed, fit_layers
from audiosurvey.runs.stages.out_of_fold import held_out_scores
from audiosurvey.runs.stages.probe import epoch_record, fit_probe
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.listener import Listener
from audiosurvey.training.loop import Evaluation

PLAN = "plan.json"
_FOLD = 0
"""In the names of random streams; folds count from 1."""


@dataclass(frozen=True)
class FinalTraining:
    """A network trained on all folds."""

    config: Config
    """That of the run, with the number of epochs and the selection of this training."""
    network: Network
    clips: tuple[Clip, ...]
    epochs: int
    epochs_from: str
    seconds: float
    calibration: Calibration
    others: tuple[Clip, ...] = ()
    """Sounds of no class that it was trained on too."""


def final_pending(run: RunFolder, results: RunResults) -> bool:
    """Whether there is no final model, or only one from before some of the folds had ended."""
    return results.final is None or not (run.model / "model.json").exists() or results.final.folds != results.done


def final_clips(config: Config, table: Table) -> tuple[Clip, ...]:
    """The clips that are in a fold, or on a side of the table's own split: all, or the share that folds train on."""
    clips = [clip for clip in table.clips if clip.fold is not None or clip.side is not None]
    return training_subset(clips, config.protocol.train_share, config.seed)


def train_final(context: RunContext, results: RunResults, listener: RunListener) -> FinalTraining:
    """Trains the final model, from its last finished epoch if it was interrupted. `results`: those of the folds."""
    run, table, accelerator = context.run, context.sounds.table, context.accelerator
    epochs, why = final_epochs(context.config, results.folds)
    config, clips = final_config(context.config, epochs), final_clips(context.config, table)
    if context.is_main:
        _begin(run, epochs)
    # Before the training: a damaged file is reported at once.
    scored = {fold: held_out_scores(context, fold) for fold in results.done} if context.is_main else {}
    accelerator.wait_for_everyone()
    others = context.sounds.others.divided if context.sounds.others else ()
    stage = context.stage(config, clips, _FOLD, others)
    ready = context.start(stage, listener)
    with (
        listener.stages(["final model"], epochs) as (shown,),
        epoch_log(run.final, shown, context.config, accelerator) as (log, tracking),
    ):
        if config.train.head_only:
            seconds = _probe(stage, ready, log)
        else:
            show_first_batch(stage, tracking, listener)
            seconds = fit_last(stage, ready.network, run, log)
    ready.network.eval()
    accelerator.free_memory()
    calibration = Calibration()
    if context.is_main:
        binary, several = stage.loss.binary, table.multi_label
        calibration = calibrate_final(scored, results.classes, binary=binary, multi_label=several)
    return FinalTraining(config, ready.network, clips, epochs, why, seconds, calibration, others)


def fit_last(stage: Stage, network: Network, run: RunFolder, log: Listener) -> float:
    """Trains the network to the last epoch, without any evaluation; returns the seconds that took, those before an
    interruption included."""
    trainer = stage.trainer(network, _no_evaluation, run.final, log)
    network.load_state_dict(trainer.run(resume=True).state_dict())
    return sum(record["seconds"] for record in trainer.history)


def _probe(stage: Stage, ready: ReadyNetwork, log: Listener) -> float:
    assert ready.embeddings is not None
    started = time.perf_counter()
    embeddings = ready.embeddings
    if embeddings.layers > 1:
        embeddings = fit_layers(equally_mixed(stage, stage.train_clips, embeddings), ready.network, embeddings)
    head = fit_probe(stage, stage.train_clips, ready.network, embeddings)
    seconds = time.perf_counter() - started
    log.on_epoch(epoch_record(head) | {"seconds": round(seconds, 3)})
    return seconds


def _begin(run: RunFolder, epochs: int) -> None:
    """Writes down the number of epochs; a checkpoint of another number is of no use and is removed."""
    plan: dict[str, Any] = {"epochs": epochs}
    again = f"remove the folder {run.final.as_posix()}, and the final model is trained from the start"
    if (run.final / PLAN).exists() and read_json(run.final / PLAN, again) != plan:
        shutil.rmtree(run.final)
    write_json(run.final / PLAN, plan)


def final_epochs(config: Config, rows: Sequence[FoldRow]) -> tuple[int, str]:
    """The number of epochs, and where it is from: that of the config, or the median of what the folds chose."""
    if config.train.head_only:
        return 1, "only the classifier is fitted, in one step"
    if config.protocol.selection == "last":
        assert config.train.epochs, "without a patience the number of epochs is fixed"
        return config.train.epochs, "as the config says"
    chosen = [row.chosen_epoch for row in rows]
    listed = ", ".join(map(str, chosen))
    return math.floor(statistics.median(chosen) + 0.5), f"the median of the epochs that the folds chose ({listed})"


def final_config(config: Config, epochs: int) -> Config:
    """The config that trains the final model: a fixed number of epochs, the last weights."""
    if config.train.head_only:
        return config
    config = config.for_stage(config.train)  # while it still has the patience of the folds
    train = config.train.model_copy(update={"epochs": epochs, "patience": None})
    protocol = config.protocol.model_copy(update={"selection": "last"})
    return config.model_copy(update={"train": train, "protocol": protocol})


def _no_evaluation(network: Callable[[], nn.Module], epoch: int, last: bool) -> Evaluation:
    """No clips are held out."""
    return Evaluation({})
