"""Linear probes: the classifier alone is fitted, to the embeddings of a network that is not trained."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from audiosurvey.data.splits.folds import Split
from audiosurvey.data.table import Clip
from audiosurvey.model.network import Network
from audiosurvey.runs.stages.embeddings import Embeddings
from audiosurvey.runs.stages.head_problem import problem_of
from audiosurvey.runs.stages.layers import equally_mixed, fit_layers, score_layers
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.head import Head
from audiosurvey.training.listener import Listener
from audiosurvey.training.sound_scores import ScoredWindows


@dataclass(frozen=True)
class FittedFold:
    """Scores of the held-out clips by the network of a fold, and how it was trained."""

    test: ScoredWindows
    validation: ScoredWindows | None
    epochs: int
    chosen_epoch: int
    seconds: float
    """Without the embeddings, which all folds share, and without scoring the layers of an encoder."""
    penalty: float | None = None
    """Of a linear probe."""
    layer_scores: list[float] | None = None
    """Of a probe on each layer of the encoder alone, cross-validated within the training clips."""


def probe_fold(
    stage: Stage, network: Network, embeddings: Embeddings, split: Split, listener: Listener, embedding_seconds: float
) -> FittedFold:
    """Fits the classifier to the training clips of a fold, and scores the fold.

    `embedding_seconds` are added to the time that is logged.
    """
    started = time.perf_counter()
    of_layers, scoring_seconds = None, 0.0
    if embeddings.layers > 1:
        equal = equally_mixed(stage, split.train, embeddings)
        apart, embeddings = embeddings, fit_layers(equal, network, embeddings)
        scoring = time.perf_counter()
        of_layers = score_layers(stage, equal, apart)
        scoring_seconds = time.perf_counter() - scoring
    head = fit_probe(stage, split.train, network, embeddings)

    def metrics(scored: ScoredWindows, clips: Sequence[Clip], side: str) -> dict[str, Any]:
        return {f"{side}_{name}": value for name, value in stage.measure(scored, clips).items()}

    test = _scored(stage, network, embeddings, split.test)
    record = epoch_record(head)
    if not stage.sounds.table.multi_label:
        trained = metrics(_scored(stage, network, embeddings, split.train), split.train, "train")
        record["train_accuracy"] = trained["train_accuracy"]
    validation = None
    if split.validation:
        validation = _scored(stage, network, embeddings, split.validation)
        record |= metrics(validation, split.validation, "val")
    record |= metrics(test, split.test, "test")
    seconds = time.perf_counter() - started - scoring_seconds
    listener.on_epoch(record | {"seconds": round(seconds + embedding_seconds, 3)})
    return FittedFold(test, validation, 1, 1, seconds, head.penalty, of_layers)


def epoch_record(head: Head) -> dict[str, Any]:
    """What metrics.jsonl says of a fit, which counts as one epoch."""
    return {"epoch": 1, "step": head.iterations, "lr": None, "train_loss": head.loss, "penalty": head.penalty}


def fit_probe(stage: Stage, clips: Sequence[Clip], network: Network, embeddings: Embeddings) -> Head:
    """Fits a classifier to the embeddings of these clips and of the stage's sounds of no class, and puts it into the
    network."""
    head = problem_of(stage, clips, embeddings).fit()
    put_head(head, network)
    network.eval()
    return head


def put_head(head: Head, network: Network) -> None:
    """The head as the network's last layer, float32."""
    layer = network.classifier
    network.load_state_dict(
        network.state_dict()
        | {"classifier.weight": head.weight_KN.to(layer.weight), "classifier.bias": head.bias_K.to(layer.weight)}
    )


@torch.no_grad()
def _scored(stage: Stage, network: Network, embeddings: Embeddings, clips: Sequence[Clip]) -> ScoredWindows:
    """Uncalibrated probabilities of the windows of these clips, float32."""
    device = stage.accelerator.device
    of_clips = [stage.loss.scores(network.classifier(embeddings.of(clip).to(device))).cpu().numpy() for clip in clips]
    return ScoredWindows(np.concatenate(of_clips), np.array([len(scores_WK) for scores_WK in of_clips]))
