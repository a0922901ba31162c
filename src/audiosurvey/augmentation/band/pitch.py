"""Pitch: the bands of a clip hold what sounded somewhat lower or higher, while its tempo stays.

Enters: a clip's random stream; leaves: a factor on its frequencies, for the front end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from audiosurvey.augmentation.base import BandOperation
from audiosurvey.augmentation.factor import FactorConfig


class PitchConfig(FactorConfig):
    """Changes the pitch without the tempo, by interpolating mel bands. Much cheaper than `speed`, which resamples the
    wave."""


@dataclass(frozen=True, slots=True)
class PitchDraw:
    pitch: float
    """Frequencies as the clip leaves to frequencies as it came."""


class Pitch(BandOperation[PitchDraw]):
    """Draws the factors; the front end applies them, for it knows where its bands lie.

    Source: vocal tract length perturbation (Jaitly and Hinton 2013), there for speech and with a bend near half the
    sample rate; here a straight line, as another size of what sounds would have it.
    """

    name = "pitch"

    def __init__(self, config: PitchConfig) -> None:
        super().__init__(config.p)
        self.config = config

    def draw_fired(self, rng: np.random.Generator) -> PitchDraw:
        return PitchDraw(self.config.draw(rng))

    def factors(self, draws: Sequence[PitchDraw | None]) -> torch.Tensor | None:
        """Of each clip, (B) float32, 1 for those that stay; None where all do."""
        if not any(draws):
            return None
        return torch.tensor([1.0 if draw is None else draw.pitch for draw in draws])
