"""Base class of the config sections of operations."""

from audiosurvey.augmentation.base import Probability
from audiosurvey.section import Section


class OperationConfig(Section):
    """Options of all operations."""

    p: Probability = 0.0
    """Probability that the operation is applied to a clip."""
