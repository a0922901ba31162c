"""One fold of a linear probe: the classifier alone is fitted, to the embeddings of a network that stays as it came."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from audiosurvey.config.root import Config
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.splits.stratify import by_rarest_label
from audiosurvey.data.table import Clip
from audiosurvey.model.network import Network
from audiosurvey.randomness import stream
from audiosurvey.runs.evaluation.scores import truth
from audiosurvey.runs.job import FoldOutcome
from audiosurvey.runs.stages.embeddings import Embeddings
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.head import Head, LabelledEmbeddings, choose_penalty, fit_head, join
from audiosurvey.training.loop import Listener
from audiosurvey.training.loss import Loss, class_weights
from audiosurvey.training.metrics import confusion, evaluate
from audiosurvey.training.sound_scores import ScoredWindows

_GROUPS = 3
"""Parts of the training clips, each held out once where the penalty is chosen."""


def probe_fold(
    config: Config,
    sounds: Sounds,
    split: Split,
    *,
    accelerator: Accelerator,
    start: Callable[[Stage, Network], None],
    embed: Callable[[Stage, Network], Embeddings],
    listener: Listener,
    carries_embedding: bool,
) -> FoldOutcome:
    """Fits and scores this fold; `start` puts pretrained weights in, `embed` runs or reads what all folds share.

    `carries_embedding`: whether the seconds of the embeddings are counted here, so that those of a run add up.
    """
    stage = Stage(
        config, sounds, split.train, accelerator=accelerator, settings=config.train, name="train", fold=split.fold
    )
    network = stage.build()
    start(stage, network)
    embeddings = embed(stage, network)
    started = time.perf_counter()
    classes = len(sounds.table.classes)
    head, loss = fit_probe(config, sounds, split.train, network, embeddings)

    def seen(clips: Sequence[Clip], side: str) -> dict[str, Any]:
        scores_NK = _scored(stage, network, embeddings, clips).sounds_NK
        metrics = evaluate(scores_NK, truth(clips, classes), sounds.table.multi_label, loss.binary)
        return {f"{side}_{name}": value for name, value in metrics.items()}

    test = _scored(stage, network, embeddings, split.test)
    scores_NK = test.sounds_NK
    truth_NK = truth(split.test, classes)
    metrics = evaluate(scores_NK, truth_NK, sounds.table.multi_label, loss.binary)
    record: dict[str, Any] = {"epoch": 1, "step": head.iterations, "lr": None, "train_loss": head.loss}
    if not sounds.table.multi_label:
        record["train_accuracy"] = seen(split.train, "train")["train_accuracy"]
    record["penalty"] = head.penalty
    record |= seen(split.validation, "val") if split.validation else {}
    record |= {f"test_{name}": value for name, value in metrics.items()}
    seconds = round(time.perf_counter() - started + (embeddings.seconds if carries_embedding else 0.0), 3)
    listener.on_epoch(record | {"seconds": seconds})
    row = (
        {"fold": split.fold}
        | metrics
        | {
            "clips": len(split.test),
            "train_clips": len(split.train),
            "left_out": [clip.id for clip in split.left_out],
            "epochs": 1,
            "chosen_epoch": 1,
            "penalty": head.penalty,
            "seconds": seconds,
        }
    )
    counts = None if sounds.table.multi_label else confusion(scores_NK, truth_NK.argmax(axis=1))
    validation = _scored(stage, network, embeddings, split.validation) if split.validation else None
    return FoldOutcome(row, test, counts, network, validation)


def fit_probe(
    config: Config, sounds: Sounds, clips: Sequence[Clip], network: Network, embeddings: Embeddings
) -> tuple[Head, Loss]:
    """Fits a classifier to the embeddings of these clips and puts it into the network; also the loss that it has."""
    classes = sounds.table.classes
    several = sounds.table.multi_label
    loss = Loss(config.loss, several, class_weights(config.loss, classes, clips, several))
    examples = _examples(embeddings, clips, len(classes))
    asked = config.train.head_penalty
    if asked == "auto":
        asked = choose_penalty(examples, _groups(config, clips, embeddings, len(classes)), loss)
    head = fit_head(examples, loss, asked)
    _put(head, network)
    network.eval()
    return head, loss


def _examples(embeddings: Embeddings, clips: Sequence[Clip], classes: int) -> LabelledEmbeddings:
    target_NK = torch.from_numpy(truth(clips, classes))
    return join([(embeddings.of(clip), target_K) for clip, target_K in zip(clips, target_NK, strict=True)])


def _groups(config: Config, clips: Sequence[Clip], embeddings: Embeddings, classes: int) -> torch.Tensor:
    """The part that each window of the training clips is in; a recording is in one part."""
    units: dict[tuple[bool, str], list[Clip]] = defaultdict(list)
    for row in stream(config.seed, "penalty").permutation(len(clips)):
        clip = clips[row]
        units[clip.source is not None, clip.source or clip.id].append(clip)
    parts = by_rarest_label(list(units.values()), _GROUPS, classes)
    part_of = {clip.id: part for unit, part in zip(units.values(), parts, strict=True) for clip in unit}
    return torch.tensor([part_of[clip.id] for clip in clips for _ in embeddings.of(clip)])


def _put(head: Head, network: Network) -> None:
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
