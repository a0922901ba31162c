"""The loss: logits and (possibly mixed) targets in, one loss for each clip out."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator

from audiosurvey.augmentation.mixing.mixing import Targets
from audiosurvey.data.names import composed_keys
from audiosurvey.data.sets.classes import unknown_classes
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.section import Section

ClassWeight = Annotated[float, Field(gt=0)]


class LossConfig(Section):
    """What training minimises."""

    name: Literal["auto", "cross_entropy", "bce"] = "auto"
    """`cross_entropy` over softmax scores, or `bce`: binary cross-entropy, each class for itself. `auto`: bce where
    clips have several labels, cross-entropy elsewhere."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target spread evenly over all K classes (arXiv 1906.02629); evaluation is never smoothed. Where a
    paper spreads a share `a` over the K - 1 wrong classes alone, as EAT does, this is a K / (K - 1)."""
    mixed: Literal["weighted", "union"] = "weighted"
    """What a mixed clip is compared with. `weighted`: both labels, each by its weight. `union` (EAT): both labels in
    full, the partner's only where the clip's own weighs less than `union_below`, by binary cross-entropy and without
    smoothing; beside a cross-entropy for the clips that are not mixed, it is summed over the classes."""
    union_below: float = Field(default=0.9, gt=0, le=1)
    """Weight of a clip's own label from which on its partner is not told (`mixed: union`)."""
    class_weights: Literal["balanced"] | dict[str, ClassWeight] | None = None
    """How much each class counts: `balanced`, or a mapping of class names to weights, 1 for those left out. With bce
    they weigh the clips in which the class is present. `balanced` is the inverse of a class's number of training clips,
    1 on average over the clips; where clips may have several labels, it is the clips without the class over those
    with it. A pretraining takes `balanced` alone. Evaluation is never weighted."""

    @field_validator("class_weights", mode="before")
    @classmethod
    def _as_names(cls, value: Any) -> Any:
        # In YAML, classes called 0, 1, 2 are written as numbers.
        if not isinstance(value, dict):
            return value
        named = {str(key) if type(key) is int else key: weight for key, weight in value.items()}
        return composed_keys(named) if all(isinstance(name, str) for name in named) else named


class Loss:
    """Loss of each clip, shape (B,); the caller averages, so that groups of batches can be weighted by their clips."""

    def __init__(self, config: LossConfig, multi_label: bool, weight_K: torch.Tensor | None = None) -> None:
        """`weight_K`: what each class counts. Raises UserError for a softmax over clips with several labels."""
        if multi_label and config.name == "cross_entropy":
            raise UserError("loss.name: clips have several labels, which a softmax cannot tell; take bce, or auto")
        self.multi_label = multi_label
        self.binary = config.name == "bce" or (config.name == "auto" and multi_label)
        self.smoothing = config.label_smoothing
        self.weight_K = weight_K
        self.union_below = config.union_below if config.mixed == "union" else None

    def of(self, logits_BK: torch.Tensor, targets: Targets) -> torch.Tensor:
        """The loss of each clip, (B,), as it is mixed or not: no clip's depends on what else is in the batch."""
        loss_B = self(logits_BK, targets.weighted_BK)
        if self.union_below is None:
            return loss_B
        told_BK = targets.union_BK(self.union_below)
        union_BK = F.binary_cross_entropy_with_logits(
            logits_BK.float(), told_BK, reduction="none", pos_weight=self.weight_K
        )
        # A cross-entropy is a sum over the classes; EAT adds both up over the batch, where the step takes the mean.
        union_B = union_BK.mean(dim=1) if self.binary else union_BK.sum(dim=1)
        return torch.where(targets.mixed_B, union_B, loss_B)

    def __call__(self, logits_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
        """`target_BK`: probabilities for cross-entropy (rows sum to 1), 0..1 for each class for bce."""
        classes = logits_BK.shape[1]
        logits_BK = logits_BK.to(torch.promote_types(logits_BK.dtype, torch.float32))
        target_BK = target_BK.to(logits_BK.dtype)
        if self.binary:
            # Smoothing towards 1/2: a binary target has two outcomes.
            target_BK = target_BK * (1 - self.smoothing) + self.smoothing / 2
            loss_BK = F.binary_cross_entropy_with_logits(
                logits_BK, target_BK, reduction="none", pos_weight=self.weight_K
            )
            return loss_BK.mean(dim=1)
        target_BK = target_BK * (1 - self.smoothing) + self.smoothing / classes
        if self.weight_K is not None:
            target_BK = target_BK * self.weight_K
        return -(target_BK * F.log_softmax(logits_BK, dim=1)).sum(dim=1)

    def scores(self, logits_BK: torch.Tensor) -> torch.Tensor:
        """Probabilities: softmax, or a sigmoid for each class."""
        return logits_BK.float().sigmoid() if self.binary else logits_BK.float().softmax(dim=1)


def class_weights(
    config: LossConfig, classes: Sequence[str], train_clips: Sequence[Clip], multi_label: bool
) -> torch.Tensor | None:
    """What each class counts in training, (K) float32; None where all count alike.

    Balanced, a class of n of N clips weighs N / (K n), so that the classes together weigh as much as before, and each
    as much as any other. Where clips may have several labels it weighs (N - n) / n: its positives together then weigh
    as much as its negatives. A class without training clips, or present in all of them, weighs 1. Raises UserError for
    a class that is not there.
    """
    asked = config.class_weights
    if asked is None:
        return None
    if asked != "balanced":
        if faults := unknown_classes(list(asked), classes):
            raise UserError(*(f"loss.class_weights: {fault}" for fault in faults))
        return torch.tensor([asked.get(name, 1.0) for name in classes])
    counts_K = torch.zeros(len(classes))
    for clip in train_clips:
        counts_K[list(clip.labels)] += 1
    if multi_label:
        negatives_K = len(train_clips) - counts_K
        return torch.where((counts_K > 0) & (negatives_K > 0), negatives_K / counts_K.clamp(min=1), 1.0)
    weight_K = counts_K.sum() / (len(classes) * counts_K.clamp(min=1))
    return torch.where(counts_K > 0, weight_K, 1.0)
