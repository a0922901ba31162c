"""Clipping: peaks are cut off, as by a recorder with too high an input level. Works on waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import on_device


class ClippingConfig(OperationConfig):
    """Clips the peaks of the wave. The level is not changed; use `gain` for that."""

    min_db: float = Field(default=0.0, ge=0, le=60)
    """One bound of the clipping depth in dB, the distance of the threshold below the clip's peak; drawn uniformly
    between both bounds, in either order."""
    max_db: float = Field(default=15.0, ge=0, le=60)
    """The other bound in dB."""


@dataclass(frozen=True, slots=True)
class ClippingDraw:
    depth_db: float


class Clipping(WaveOperation[ClippingConfig, ClippingDraw]):
    """Limits the samples of each clip to a drawn fraction of its peak."""

    name = "clipping"

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> ClippingDraw:
        low_db, high_db = sorted((self.config.min_db, self.config.max_db))
        return ClippingDraw(float(rng.uniform(low_db, high_db)))

    def render(self, wave_BS: Tensor, draws: list[ClippingDraw], valid: list[int]) -> Tensor:
        share_B1 = on_device([[10 ** (-draw.depth_db / 20)] for draw in draws], wave_BS.device)
        limit_B1 = wave_BS.abs().amax(dim=1, keepdim=True) * share_B1
        return torch.minimum(torch.maximum(wave_BS, -limit_B1), limit_B1)
