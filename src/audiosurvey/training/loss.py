"""Loss functions: one value per clip, from logits and possibly mixed targets."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator

from audiosurvey.augment.mixing.mixing import Targets
from audiosurvey.data.names import composed_keys
from audiosurvey.data.sets.classes import unknown_classes
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.section import Section

ClassWeight = Annotated[float, Field(gt=0)]


class LossConfig(Section):
    """The loss function."""

    name: Literal["auto", "cross_entropy", "bce"] = "auto"
    """`cross_entropy`: softmax cross-entropy; `bce`: binary cross-entropy for each class. `auto`: `bce` for multi-label
    data, otherwise `cross_entropy`."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the target spread uniformly over all K classes (arXiv 1906.02629), in training only. A paper that
    spreads a fraction a over the K - 1 other classes, such as EAT, corresponds to a K / (K - 1) here."""
    mixed: Literal["weighted", "union"] = "weighted"
    """Target of mixed clips. `weighted`: the weighted mean of both labels. `union` (EAT): both labels with full weight,
    by binary cross-entropy without smoothing, which is summed over the classes if unmixed clips use
    cross-entropy."""
    union_below: float = Field(default=0.9, gt=0, le=1)
    """With `mixed: union`, the partner's label is dropped if the weight of the clip's own label is at least this."""
    class_weights: Literal["balanced"] | dict[str, ClassWeight] | None = None
    """Class weights in training: a mapping of class names to weights, 1 by default, or `balanced`: inversely
    proportional to the number of training clips of a class, with a mean of 1 over the clips. With `bce`, they weight
    the positives of each class, and `balanced` is the ratio of negatives to positives. Pretraining supports only
    `balanced`."""

    @field_validator("class_weights", mode="before")
    @classmethod
    def _as_names(cls, value: Any) -> Any:
        # YAML reads class names such as 0, 1, 2 as numbers.
        if not isinstance(value, dict):
            return value
        named = {str(key) if type(key) is int else key: weight for key, weight in value.items()}
        return composed_keys(named) if all(isinstance(name, str) for name in named) else named


class Loss:
    """Loss per clip (B,). The caller averages, so that accumulated batches can be weighted by their clips."""

    def __init__(self, config: LossConfig, multi_label: bool, weight_K: torch.Tensor | None = None) -> None:
        """`weight_K`: class weights. Raises UserError for softmax cross-entropy on multi-label data."""
        if multi_label and config.name == "cross_entropy":
            raise UserError("loss.name: cross_entropy does not support several labels per clip; use bce or auto")
        self.multi_label = multi_label
        self.binary = config.name == "bce" or (config.name == "auto" and multi_label)
        self.smoothing = config.label_smoothing
        self.weight_K = weight_K
        self.union_below = config.union_below if config.mixed == "union" else None

    def of(self, logits_BK: torch.Tensor, targets: Targets) -> torch.Tensor:
        """The loss of clips, mixed or not.

        Args:
            logits_BK: logits (B, K).
            targets: labels of the clips and of what was mixed into them, as an augmentation gives them.

        Returns:
            One value per clip (B).
        """
        loss_B = self(logits_BK, targets.weighted_BK)
        if self.union_below is None:
            return loss_B
        told_BK = targets.union_BK(self.union_below)
        union_BK = F.binary_cross_entropy_with_logits(
            logits_BK.float(), told_BK, reduction="none", pos_weight=self.weight_K
        )
        # Cross-entropy is a sum over the classes, so this must be too.
        union_B = union_BK.mean(dim=1) if self.binary else union_BK.sum(dim=1)
        return torch.where(targets.mixed_B, union_B, loss_B)

    def __call__(self, logits_BK: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
        """`target_BK`: probabilities with a sum of 1 for cross-entropy, values from 0 to 1 for bce."""
        classes = logits_BK.shape[1]
        logits_BK = logits_BK.to(torch.promote_types(logits_BK.dtype, torch.float32))
        target_BK = target_BK.to(logits_BK.dtype)
        if self.binary:
            # Towards 1/2, as each class has two outcomes.
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
        """Probabilities by softmax, or by a sigmoid per class.

        Args:
            logits_BK: logits (B, K).

        Returns:
            Probabilities (B, K), float32.
        """
        return logits_BK.float().sigmoid() if self.binary else logits_BK.float().softmax(dim=1)


def class_weights(
    config: LossConfig, classes: Sequence[str], train_clips: Sequence[Clip], multi_label: bool
) -> torch.Tensor | None:
    """Class weights of a config.

    The balanced weight of a class with n of N clips is N / (K n), or (N - n) / n for multi-label data; it is 1 for a
    class without clips, and for multi-label data also for one present in all clips.

    Args:
        config: the section `loss`.
        classes: names of the K classes.
        train_clips: the training clips.
        multi_label: whether clips may have several labels.

    Returns:
        Weights (K), float32, or None if all are equal.

    Raises:
        UserError: for unknown classes.
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
