"""Band jitter: the mel filters of a clip are spread a little wider or narrower.

Enters: a clip's random stream; leaves: Hz, for the front end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field

from audiosurvey.augmentation.base import BandOperation
from audiosurvey.augmentation.operation_config import OperationConfig


class BandJitterConfig(OperationConfig):
    """Shifts the edges of the mel filter bank, so that a sound does not always fall into the same bands."""

    low_hz: float = Field(default=10.0, ge=0)
    """Maximum increase of the lower edge of the lowest band in Hz; drawn uniformly from 0."""
    high_hz: float = Field(default=1000.0, ge=0)
    """Maximum shift of the upper edge of the highest band in Hz, in either direction; drawn uniformly. The edge stays
    below half the sample rate, and must stay above the lower edge of the lowest band."""


@dataclass(frozen=True, slots=True)
class BandJitterDraw:
    low_hz: float
    high_hz: float


class BandJitter(BandOperation[BandJitterDraw]):
    """Draws the shifts; the front end applies them, for they change its filters.

    Source: EfficientAT (Schmid et al. 2022), where one draw serves a whole batch; here each clip has its own.
    """

    name = "band_jitter"

    def __init__(self, config: BandJitterConfig) -> None:
        super().__init__(config.p)
        self.config = config

    def draw_fired(self, rng: np.random.Generator) -> BandJitterDraw:
        low, high = self.config.low_hz, self.config.high_hz
        return BandJitterDraw(float(rng.uniform(0, low)), float(rng.uniform(-high, high)))

    def shifts(self, draws: Sequence[BandJitterDraw | None]) -> torch.Tensor | None:
        """Hz to add to the lowest and the highest edge of each clip, (B, 2) float64; None where no clip is touched."""
        if not any(draws):
            return None
        return torch.tensor(
            [(0, 0) if draw is None else (draw.low_hz, draw.high_hz) for draw in draws], dtype=torch.float64
        )
