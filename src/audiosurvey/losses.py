"""Losses: one value per clip, from logits (B, K) and possibly mixed targets. Public."""

from audiosurvey.api.loop.losses import loss
from audiosurvey.augment.mixing.mixing import Targets
from audiosurvey.training.loss import Loss, LossConfig, class_weights

__all__ = ["Loss", "LossConfig", "Targets", "class_weights", "loss"]
