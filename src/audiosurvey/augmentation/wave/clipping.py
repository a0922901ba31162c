"""Clipping: peaks are cut flat, as by a recorder whose input level is set too high. Enters and leaves: waveforms
(B, S)."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.tensors import on_device
from audiosurvey.section import Section


class ClippingConfig(Section):
    """Peaks of the clip are cut flat. The level stays as it is; `gain` changes that."""

    p: Probability = 0.0
    """Chance that a clip is clipped."""
    min_db: float = 0.0
    """One bound of the clipping depth: how far the limit lies below the clip's highest peak, in dB; drawn uniformly
    between the two, in either order."""
    max_db: float = 15.0
    """The other bound in dB."""

    @field_validator("min_db", "max_db")
    @classmethod
    def _a_depth(cls, db: float) -> float:
        if not 0 <= db <= 60:
            raise ValueError(f"the limit lies 0 to 60 dB below the highest peak; got {db:g} dB")
        return db


@dataclass(frozen=True, slots=True)
class ClippingDraw:
    depth_db: float


class Clipping(WaveOperation[ClippingDraw]):
    """Limits each clip's samples to its own share of its highest peak."""

    name = "clipping"

    def __init__(self, config: ClippingConfig) -> None:
        super().__init__(config.p)
        self.low_db, self.high_db = sorted((config.min_db, config.max_db))

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> ClippingDraw:
        return ClippingDraw(float(rng.uniform(self.low_db, self.high_db)))

    def render(self, wave_BS: Tensor, draws: list[ClippingDraw], valid: list[int]) -> Tensor:
        share_B1 = on_device([[10 ** (-draw.depth_db / 20)] for draw in draws], wave_BS.device)
        limit_B1 = wave_BS.abs().amax(dim=1, keepdim=True) * share_B1
        return torch.minimum(torch.maximum(wave_BS, -limit_B1), limit_B1)
