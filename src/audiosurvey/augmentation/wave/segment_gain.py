"""Segment gain: a short stretch of the clip is louder or softer than the rest.

Enters and leaves: waveforms (B, S). The stretch begins and ends at once, without a fade.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augmentation.base import WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.wave.gain import GainConfig, draw_gain_db, factors
from audiosurvey.augmentation.wave.stretch import StretchSeconds, draw_start, inside, stretch_samples


class SegmentGainConfig(GainConfig):
    """The level of a short stretch of the clip is changed."""

    length_s: StretchSeconds = 0.1
    """Length of the stretch in seconds; it lies anywhere in the clip, not in its padding."""


@dataclass(frozen=True, slots=True)
class SegmentGainDraw:
    gain_db: float
    start: int
    """First sample of the stretch."""


class SegmentGain(WaveOperation[SegmentGainDraw]):
    """Multiplies a stretch of each clip by its own factor.

    Source: `ampsegment` of EAT (arXiv 2204.11479). We depart in one thing: the authors' program begins the stretch
    within the first tenth of a second only; here every place is drawn alike.
    """

    name = "segment_gain"

    def __init__(self, config: SegmentGainConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        self.config = config
        self.length = stretch_samples(config.length_s, sample_rate)

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> SegmentGainDraw:
        return self.draw_sounding(rng, Extent.until(valid, samples))

    def draw_sounding(self, rng: np.random.Generator, extent: Extent) -> SegmentGainDraw:
        return SegmentGainDraw(draw_gain_db(rng, self.config), draw_start(rng, self.length, extent))

    def render(self, wave_BS: Tensor, draws: list[SegmentGainDraw], valid: list[int]) -> Tensor:
        louder_BS = wave_BS * factors([draw.gain_db for draw in draws], wave_BS)[:, None]
        return torch.where(inside([draw.start for draw in draws], self.length, wave_BS), louder_BS, wave_BS)
