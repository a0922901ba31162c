"""One fold of cross-validation: train on the others, look at the held-out clips, return scores and the network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from audiosurvey.config.root import Config
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split
from audiosurvey.model.network import Network
from audiosurvey.runs.evaluation.scores import truth
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.loop import Evaluation, Evaluator, Listener
from audiosurvey.training.metrics import Metrics, confusion, evaluate
from audiosurvey.training.sound_scores import ScoredWindows


@dataclass(frozen=True)
class FoldOutcome:
    """What is known when a fold has ended."""

    row: dict[str, Any]
    """Its entry in results.json."""
    test: ScoredWindows
    """Scores of the tested clips, with those of their windows."""
    confusion_KK: np.ndarray | None
    """None for multi-label data."""
    network: Network
    validation: ScoredWindows | None = None
    """Scores of the clips that the epoch was chosen by; None where there are none."""


def train_fold(
    config: Config,
    sounds: Sounds,
    split: Split,
    *,
    accelerator: Accelerator,
    start: Callable[[Stage, Network], None],
    folder: Path,
    listener: Listener,
) -> FoldOutcome:
    """Trains this fold, from its last finished epoch where it was interrupted. `start` puts pretrained weights in."""
    stage = Stage(
        config, sounds, split.train, accelerator=accelerator, settings=config.train, name="train", fold=split.fold
    )
    network = stage.build()
    start(stage, network)
    trainer = stage.trainer(network, _evaluator(config, stage, split), folder, listener)
    chosen = trainer.run(resume=True)
    # The chosen weights go back into a plain network of our own: an average has its gradients switched off.
    network.load_state_dict(chosen.state_dict())
    network.eval()
    test = stage.scored(network, split.test)
    scores_NK = test.sounds_NK
    table = sounds.table
    truth_NK = truth(split.test, len(table.classes))
    metrics = evaluate(scores_NK, truth_NK, table.multi_label, stage.loss.binary)
    seconds = sum(record["seconds"] for record in trainer.history)
    row = (
        {"fold": split.fold}
        | metrics
        | {
            "clips": len(split.test),
            "train_clips": len(split.train),
            # Clips of recordings that the published folds themselves have on both sides; they train nothing.
            "left_out": [clip.id for clip in split.left_out],
            "epochs": trainer.state.epoch,
            "chosen_epoch": trainer.state.best_epoch or trainer.state.epoch,
            "seconds": round(seconds, 3),
        }
    )
    counts = None if table.multi_label else confusion(scores_NK, truth_NK.argmax(axis=1))
    validation = stage.scored(network, split.validation) if split.validation else None
    return FoldOutcome(row, test, counts, network, validation)


def _evaluator(config: Config, stage: Stage, split: Split) -> Evaluator:
    """What is evaluated after an epoch, and what the choice of the epoch goes by."""
    selection = config.protocol.selection

    def evaluator(network: Callable[[], nn.Module], epoch: int, last: bool) -> Evaluation:
        record: dict[str, Any] = {}
        score: tuple[float, ...] | None = None
        with torch.no_grad():
            if selection == "validation":
                seen = stage.metrics(network(), split.validation)
                record |= {f"val_{name}": value for name, value in seen.items()}
                score = monitored(seen)
            if _tests_at(config, epoch, last):
                seen = stage.metrics(network(), split.test)
                record |= {f"test_{name}": value for name, value in seen.items()}
                score = monitored(seen) if selection == "test" else score
        return Evaluation(record, score)

    return evaluator


def _tests_at(config: Config, epoch: int, last: bool) -> bool:
    every = config.protocol.test_every
    return config.protocol.selection == "test" or last or (every > 0 and epoch % every == 0)


def clips_to_look_at(config: Config, split: Split, epochs: int) -> int:
    """How many clips are evaluated in a fold of so many epochs, each as often as it is looked at."""
    validated = epochs if config.protocol.selection == "validation" else 0
    tested = sum(_tests_at(config, epoch, epoch == epochs) for epoch in range(1, epochs + 1))
    return validated * len(split.validation) + tested * len(split.test)


def monitored(metrics: Metrics) -> tuple[float, float]:
    """Accuracy (mAP where clips have several labels), ties by loss; greater is better."""
    main = metrics["map"] if "map" in metrics else metrics["accuracy"]
    return (main or 0.0, -(metrics["loss"] or 0.0))
