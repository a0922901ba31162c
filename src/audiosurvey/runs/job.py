"""One fold of cross-validation: a plain description of the job, and the function that turns it into a result.

The description can be sent to any process on any machine that has the data and the run folder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from audiosurvey.allocator import keep_freed_memory
from audiosurvey.config.root import Config
from audiosurvey.data.other.others import OtherSplit
from audiosurvey.data.sounds import prepare_sounds
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.table import Table, truth
from audiosurvey.errors import ArgumentError
from audiosurvey.model.encoders.hub_encoder import layer_shares
from audiosurvey.model.network import Network
from audiosurvey.runs.consumption import metered
from audiosurvey.runs.evaluation.heldout import fold_split
from audiosurvey.runs.evaluation.scores import monitored
from audiosurvey.runs.experiment import Experiment
from audiosurvey.runs.listener import RunListener
from audiosurvey.runs.results.class_scores import measure_classes
from audiosurvey.runs.results.fold_log import epoch_log, read_history
from audiosurvey.runs.results.layer_scores import layer_scores, layers_line
from audiosurvey.runs.results.other_scores import other_scores
from audiosurvey.runs.results.results import FoldRow, RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.stages.context import ReadyNetwork, RunContext, show_first_batch
from audiosurvey.runs.stages.pretraining import finished
from audiosurvey.runs.stages.probe import FittedFold, probe_fold
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.runs.stages.starting import open_pretrained
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.class_metrics import confusion
from audiosurvey.training.listener import Listener
from audiosurvey.training.loop import Evaluation, StopHook
from audiosurvey.training.metrics import evaluate
from audiosurvey.training.precision import Precision
from audiosurvey.training.sound_scores import ScoredWindows


@dataclass(frozen=True)
class FoldJob:
    """One fold to train. Plain data that can be pickled."""

    run: RunFolder
    """The fold writes into its own folder there, and reads what a pretraining left."""
    fold: int
    config: Config
    """Resolved; it holds the seed."""
    about: RunResults
    """Results of the run without any fold: among others the hash of the data and the classes."""
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 1
    side_by_side: int | None = None
    """Folds that are trained at the same time; None: the folds of the run follow each other."""
    alone: bool = True
    """Whether no other job uses the same GPU at the same time."""
    init_hash: str | None = None
    """SHA-256 of the weights of `model.init`."""
    trial: bool = False
    """A trial of a search: trained without the validation fold of its split, and scored on that alone. Its test fold is
    neither trained on nor looked at."""
    counts_embeddings: bool = False
    """Whether the time of the embeddings, which all folds share, is counted in this fold."""
    golden_clips: bool = True
    """Whether the model contains windows of training clips; else made sounds."""

    @property
    def title(self) -> str:
        return f"fold {self.fold} of {len(self.about.all_folds)}"

    @property
    def epochs(self) -> int:
        """Epochs to show progress of; 0: not known."""
        return 1 if self.config.train.head_only else self.config.train.epochs or 0


@dataclass(frozen=True)
class FoldResult:
    """A trained fold."""

    row: FoldRow
    split: Split
    test: ScoredWindows
    """Scores of the test clips and of their windows."""
    validation: ScoredWindows | None
    """Scores of the clips by which the epoch was chosen; None if there are none."""
    confusion_KK: np.ndarray | None
    """None for several labels."""
    network: Network
    others: OtherSplit = field(default_factory=OtherSplit)
    """Sounds of no class."""
    other_test: ScoredWindows | None = None
    """Scores of those held out for the test; None if there are none."""
    other_validation: ScoredWindows | None = None


def open_context(job: FoldJob, experiment: Experiment | None = None) -> RunContext:
    """Opens data and weights of a job in this process, unless the process has them open already (`experiment`).

    Raises UserError if they are not those of the run.
    """
    config, run = job.config, job.run
    accelerator = make_accelerator(job.device, job.precision, thaws=bool(config.model.thaw))
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    if experiment is not None:
        sounds, init = experiment.sounds, experiment.init
    else:
        sounds, init = prepare_sounds(config.dataset, config.sample_rate), open_pretrained(config)
    if sounds.store.hash != job.about.dataset.hash:
        raise ArgumentError(f"{run.path}: the data changed since the run began; give another {{run_dir}}", run_dir=...)
    if (init and init.report.sha256) != job.init_hash:
        raise ArgumentError(
            f"{run.path}: the weights of model.init changed since the run began; give another {{run_dir}}", run_dir=...
        )
    return RunContext(run, config, sounds, accelerator, init, finished(run))


def split_of(job: FoldJob, table: Table) -> Split:
    """The split of a job; that of a trial has its validation fold in place of the test fold."""
    if not job.trial:
        return fold_split(job.config, table, job.fold)
    protocol = job.config.protocol
    held_out = job.config.model_copy(update={"protocol": protocol.model_copy(update={"selection": "validation"})})
    split = fold_split(held_out, table, job.fold)
    return replace(split, test=split.validation, validation=())


def run_job(
    job: FoldJob, context: RunContext, listener: RunListener, stop_hooks: Sequence[StopHook] = ()
) -> FoldResult:
    """Trains one fold, from its last finished epoch if it was interrupted, or fits a linear probe; scores it.

    Checkpoints, metrics.jsonl and the files of trackers go to the folder of the fold.
    """
    sounds = context.sounds
    split = split_of(job, sounds.table)
    others = sounds.others.split(split) if sounds.others else OtherSplit()
    stage = context.stage(job.config, split.train, job.fold, others.train)
    folder = context.run.fold(job.fold)
    ready = context.start(stage, listener)
    embedding_seconds = ready.embeddings.seconds if ready.embeddings and job.counts_embeddings else 0.0
    interrupted = bool(read_history(folder))
    with (
        metered(context.accelerator.device, alone=job.alone) as used,
        listener.stages([job.title], job.epochs) as (shown,),
        epoch_log(folder, shown, job.config, context.accelerator) as (log, tracking),
    ):
        if job.config.train.head_only:
            assert ready.embeddings is not None
            fitted = probe_fold(stage, ready.network, ready.embeddings, split, log, embedding_seconds)
        else:
            show_first_batch(stage, tracking, listener)
            fitted = _train(job, stage, ready, split, folder, log, stop_hooks)
    truth_NK = truth(split.test, len(sounds.table.classes))
    scores_NK = fitted.test.sounds_NK
    row: dict[str, Any] = {
        "fold": split.test[0].fold if job.trial else job.fold,
        **evaluate(scores_NK, truth_NK, sounds.table.multi_label, stage.loss.binary),
        "clips": len(split.test),
        "train_clips": len(split.train),
        "left_out": [clip.id for clip in split.left_out],
        "epochs": fitted.epochs,
        "chosen_epoch": fitted.chosen_epoch,
        "seconds": round(fitted.seconds + embedding_seconds, 3),
    }
    multi_label, classes = sounds.table.multi_label, sounds.table.classes
    row["by_class"] = measure_classes(scores_NK, truth_NK, classes, multi_label=multi_label)
    if fitted.penalty is not None:
        row["penalty"] = fitted.penalty
    if (shares := layer_shares(ready.network)) is not None:
        row["layers"] = layer_scores(shares, fitted.layer_scores, multi_label=multi_label)
        listener.say(f"{job.title}: {layers_line(row['layers'])}")
    if used.peak_memory_mb is not None and not interrupted:
        row["peak_memory_mb"] = round(used.peak_memory_mb, 1)
    if used.energy_wh is not None and not interrupted and context.accelerator.num_processes == 1:
        row["energy_wh"] = round(used.energy_wh, 4)
    if job.side_by_side is not None:
        row |= {"side_by_side": job.side_by_side, "threads": torch.get_num_threads()}
    counts = None if sounds.table.multi_label else confusion(scores_NK, truth_NK.argmax(axis=1))
    other_test, other_validation = (
        stage.scored(ready.network, clips) if clips else None for clips in (others.test, others.validation)
    )
    if other_test is not None:
        row["other"] = other_scores(split.test, scores_NK, others.test, other_test.sounds_NK)
    context.accelerator.free_memory()
    return FoldResult(
        FoldRow.model_validate(row),
        split,
        fitted.test,
        fitted.validation,
        counts,
        ready.network,
        others,
        other_test,
        other_validation,
    )


def _train(
    job: FoldJob,
    stage: Stage,
    ready: ReadyNetwork,
    split: Split,
    folder: Path,
    log: Listener,
    stop_hooks: Sequence[StopHook],
) -> FittedFold:
    evaluator, network = _FoldEvaluator(job.config, stage, split, tested="val" if job.trial else "test"), ready.network
    trainer = stage.trainer(network, evaluator, folder, log, stop_hooks)
    chosen = trainer.run(resume=True)
    # The chosen weights go back into the network itself: those of an average have their gradients switched off.
    network.load_state_dict(chosen.state_dict())
    network.eval()
    epoch = trainer.state.best_epoch or trainer.state.epoch
    test = evaluator.scores("test", network, epoch)
    validation = evaluator.scores("val", network, epoch) if split.validation else None
    seconds = sum(record["seconds"] for record in trainer.history) + ready.head_seconds
    return FittedFold(test, validation, trainer.state.epoch, epoch, seconds)


_Side = Literal["val", "test"]


class _FoldEvaluator:
    """Evaluates held-out clips after an epoch; keeps the scores of the chosen epoch: nothing is scored twice."""

    def __init__(self, config: Config, stage: Stage, split: Split, tested: _Side = "test") -> None:
        """`tested`: what the scores of the test side are called in records."""
        self._config, self._stage, self._tested = config, stage, tested
        self._clips = {"val": split.validation, "test": split.test}
        self._scores: dict[tuple[_Side, int], ScoredWindows] = {}
        self._best: tuple[tuple[float, ...], int] | None = None

    def __call__(self, network: Callable[[], nn.Module], epoch: int, last: bool) -> Evaluation:
        selection = self._config.protocol.selection
        record: dict[str, Any] = {}
        score: tuple[float, ...] | None = None
        if selection == "validation":
            score = self._measure("val", network(), epoch, record)
        if _tests_at(self._config, epoch, last):
            tested = self._measure("test", network(), epoch, record)
            score = tested if selection == "test" else score
        if score is not None and (self._best is None or score > self._best[0]):
            self._best = (score, epoch)
        kept = {epoch, self._best[1] if self._best else epoch}
        self._scores = {key: scored for key, scored in self._scores.items() if key[1] in kept}
        return Evaluation(record, score)

    def scores(self, side: _Side, network: nn.Module, epoch: int) -> ScoredWindows:
        """Scores by the network, which has the weights of this epoch."""
        if (side, epoch) not in self._scores:
            self._scores[side, epoch] = self._stage.scored(network, self._clips[side])
        return self._scores[side, epoch]

    def _measure(self, side: _Side, network: nn.Module, epoch: int, record: dict[str, Any]) -> tuple[float, ...]:
        metrics = self._stage.measure(self.scores(side, network, epoch), self._clips[side])
        shown = self._tested if side == "test" else side
        record |= {f"{shown}_{name}": value for name, value in metrics.items()}
        return monitored(metrics)


def _tests_at(config: Config, epoch: int, last: bool) -> bool:
    every = config.protocol.test_every
    return config.protocol.selection == "test" or last or (every > 0 and epoch % every == 0)


def clips_to_evaluate(config: Config, split: Split, epochs: int) -> int:
    """Clips that are evaluated in a fold of so many epochs, each counted as often as it is evaluated."""
    validated = epochs if config.protocol.selection == "validation" else 0
    tested = sum(_tests_at(config, epoch, epoch == epochs) for epoch in range(1, epochs + 1))
    return validated * len(split.validation) + tested * len(split.test)
