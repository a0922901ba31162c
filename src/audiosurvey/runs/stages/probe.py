"""Linear probes: the classifier alone is fitted, to the embeddings of a network that is not trained."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from audiosurvey.config.root import Config
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.splits.stratify import by_rarest_label
from audiosurvey.data.table import Clip, Table, truth
from audiosurvey.model.network import Network
from audiosurvey.randomness import stream
from audiosurvey.runs.stages.embeddings import Embeddings
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.head import Head, LabelledEmbeddings, choose_penalty, fit_head, join
from audiosurvey.training.listener import Listener
from audiosurvey.training.loss import Loss, class_weights
from audiosurvey.training.sound_scores import ScoredWindows

_GROUPS = 3
"""Parts of the training clips for choosing the penalty; each is held out once."""


@dataclass(frozen=True)
class FittedFold:
    """Scores of the held-out clips by the network of a fold, and how it was trained."""

    test: ScoredWindows
    validation: ScoredWindows | None
    epochs: int
    chosen_epoch: int
    seconds: float
    """Without the embeddings, which all folds share."""
    penalty: float | None = None
    """Of a linear probe."""


def probe_fold(
    stage: Stage, network: Network, embeddings: Embeddings, split: Split, listener: Listener, embedding_seconds: float
) -> FittedFold:
    """Fits the classifier to the training clips of a fold, and scores the fold.

    `embedding_seconds` are added to the time that is logged.
    """
    started = time.perf_counter()
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
    seconds = time.perf_counter() - started
    listener.on_epoch(record | {"seconds": round(seconds + embedding_seconds, 3)})
    return FittedFold(test, validation, 1, 1, seconds, head.penalty)


def epoch_record(head: Head) -> dict[str, Any]:
    """What metrics.jsonl says of a fit, which counts as one epoch."""
    return {"epoch": 1, "step": head.iterations, "lr": None, "train_loss": head.loss, "penalty": head.penalty}


def fit_probe(stage: Stage, clips: Sequence[Clip], network: Network, embeddings: Embeddings) -> Head:
    """Fits a classifier to the embeddings of these clips and of the stage's sounds of no class, and puts it into the
    network."""
    others = stage.others
    counts = zip((others.recorded, others.made), others.counts(len(clips)), strict=True)
    weighted = [(sounds, count / len(sounds)) for sounds, count in counts if count]
    head = fit_to_embeddings(stage.config, stage.sounds.table, clips, embeddings, weighted, stage.other_target)
    put_head(head, network)
    network.eval()
    return head


def fit_to_embeddings(
    config: Config,
    table: Table,
    clips: Sequence[Clip],
    embeddings: Embeddings,
    others: Sequence[tuple[Sequence[Clip], float]] = (),
    other_target: float = 0.0,
) -> Head:
    """A classifier for the embeddings of these clips of the table, with the penalty of the config.

    `others`: sounds of no class, each with its weight in place of the 1 of a clip; `other_target`: their target for
    each class.
    """
    loss = Loss(config.loss, table.multi_label, class_weights(config.loss, table.classes, clips, table.multi_label))
    examples = _examples(embeddings, clips, len(table.classes), others, other_target)
    penalty = config.train.head_penalty
    if penalty == "auto":
        every = [*clips, *(sound for sounds, _ in others for sound in sounds)]
        penalty = choose_penalty(examples, _groups(config, every, embeddings, len(table.classes)), loss)
    return fit_head(examples, loss, penalty)


def _examples(
    embeddings: Embeddings,
    clips: Sequence[Clip],
    classes: int,
    others: Sequence[tuple[Sequence[Clip], float]],
    other_target: float,
) -> LabelledEmbeddings:
    """`others`: sounds of no class, each with its weight in place of the 1 of a clip."""
    target_NK = torch.from_numpy(truth(clips, classes))
    known = join([(embeddings.of(clip), target_K) for clip, target_K in zip(clips, target_NK, strict=True)])
    target_K = torch.full((classes,), other_target)
    parts = [known]
    for sounds, weight in others:
        part = join([(embeddings.of(sound), target_K) for sound in sounds])
        parts.append(replace(part, weight_M=part.weight_M * weight))
    return LabelledEmbeddings(
        torch.cat([part.embedding_MN for part in parts]),
        torch.cat([part.target_MK for part in parts]),
        torch.cat([part.weight_M for part in parts]),
    )


def _groups(config: Config, clips: Sequence[Clip], embeddings: Embeddings, classes: int) -> torch.Tensor:
    """The part of each window of the training clips; a recording is never divided."""
    units: dict[tuple[bool, str], list[Clip]] = defaultdict(list)
    for row in stream(config.seed, "penalty").permutation(len(clips)):
        clip = clips[row]
        units[clip.source is not None, clip.source or clip.id].append(clip)
    parts = by_rarest_label(list(units.values()), _GROUPS, classes)
    part_of = {clip.id: part for unit, part in zip(units.values(), parts, strict=True) for clip in unit}
    return torch.tensor([part_of[clip.id] for clip in clips for _ in embeddings.of(clip)])


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
