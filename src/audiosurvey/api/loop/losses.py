"""The loss of a config, for one's own loop."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from audiosurvey.api.arguments import loaded
from audiosurvey.api.state import keeps_state
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip
from audiosurvey.training.loss import Loss, class_weights

if TYPE_CHECKING:
    from audiosurvey.config.loader import ConfigSource


@keeps_state
def loss(config: "ConfigSource", sounds: Sounds, clips: Sequence[Clip]) -> Loss:
    """The loss of a config, with its class weights and label smoothing.

    Args:
        config: as in `load_config`.
        sounds: the data set, from `audiosurvey.prepare`.
        clips: the training clips, from which balanced class weights follow.

    Returns:
        `loss.of(logits_BK, targets)` with the targets of an augmented batch, or `loss(logits_BK, target_BK)`: both give
        one value per clip (B). `loss.scores(logits_BK)` gives probabilities (B, K).

    Raises:
        UserError: for faults of the config, and for class weights of unknown classes.
    """
    found, table = loaded(config).config, sounds.table
    weight_K = class_weights(found.loss, table.classes, clips, table.multi_label)
    return Loss(found.loss, table.multi_label, weight_K)
