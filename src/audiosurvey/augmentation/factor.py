"""Factors on what a clip's time or frequencies are: which are allowed, and how one is drawn.

Enters: a clip's random stream; leaves: a number around 1.
"""

import numpy as np
from pydantic import field_validator

from audiosurvey.augmentation.base import Probability
from audiosurvey.section import Section


class FactorConfig(Section):
    """The keys of an operation that draws a factor between two bounds."""

    p: Probability = 0.0
    """Chance that a clip is changed."""
    min: float = 0.86
    """One bound of the factor (1: as recorded, 2: twice as fast, or an octave higher); drawn evenly in octaves between
    the two, whichever is the greater."""
    max: float = 1.16
    """The other bound."""

    @field_validator("min", "max")
    @classmethod
    def _recognisable(cls, factor: float) -> float:
        return a_factor(factor)

    def draw(self, rng: np.random.Generator) -> float:
        """A factor between the bounds: an octave up is as likely as an octave down."""
        low, high = sorted((self.min, self.max))
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def a_factor(factor: float) -> float:
    """Refuses what no sound outlives."""
    if not 0.25 <= factor <= 4:
        raise ValueError(
            f"a factor on speed or pitch lies between 0.25 and 4, two octaves down and up, else no sound stays what it "
            f"was; got {factor:g}"
        )
    return factor
