"""Band jitter: the mel filters of a clip cover a slightly wider or narrower range of frequencies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.band.operation import BandOperation
from audiosurvey.augment.base import OperationConfig
from audiosurvey.features.mel import MelFrontEnd


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


class BandJitter(BandOperation[BandJitterConfig, BandJitterDraw]):
    """Computes each clip's mel bands with filters between its own edges.

    Source: EfficientAT (Schmid et al. 2022), where one draw serves a whole batch; here each clip has its own.
    """

    name = "band_jitter"

    def draw_fired(self, rng: np.random.Generator) -> BandJitterDraw:
        low, high = self.config.low_hz, self.config.high_hz
        return BandJitterDraw(float(rng.uniform(0, low)), float(rng.uniform(-high, high)))

    def filters(self, draws: Sequence[BandJitterDraw | None], front_end: MelFrontEnd) -> Tensor:
        """Edges stay between 0 and half the sample rate."""
        config, rate, device = front_end.config, front_end.sample_rate, front_end.bank.device
        shifts = [(0.0, 0.0) if draw is None else (draw.low_hz, draw.high_hz) for draw in draws]
        limits_B2 = torch.tensor(shifts, dtype=torch.float64) + torch.tensor(
            config.limits_hz(rate), dtype=torch.float64
        )
        # Apple's GPUs have no float64.
        kind = torch.float32 if device.type == "mps" else torch.float64
        limits_B2 = limits_B2.clamp(0, rate / 2).to(kind).to(device, non_blocking=True)
        return config.filters_between(limits_B2, rate).to(front_end.bank.dtype)
