"""Random factors on time or frequency."""

from typing import Annotated

import numpy as np
from pydantic import Field

from audiosurvey.augment.base import OperationConfig

Factor = Annotated[float, Field(ge=0.25, le=4)]
"""A factor of at most two octaves."""


class FactorConfig(OperationConfig):
    """Options of an operation that draws a factor between two bounds."""

    min: Factor = 0.86
    """One bound of the factor (1: unchanged, 2: twice as fast, or an octave higher); drawn log-uniformly between both
    bounds, in either order."""
    max: Factor = 1.16
    """The other bound."""

    def draw(self, rng: np.random.Generator) -> float:
        """A log-uniform factor between the bounds."""
        low, high = sorted((self.min, self.max))
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
