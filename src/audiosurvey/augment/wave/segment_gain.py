"""Segment gain: a short segment of the clip becomes louder or softer, without a fade. Works on waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.base import WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.wave.gain import GainConfig, draw_gain_db, factors
from audiosurvey.augment.wave.stretch import StretchSeconds, draw_start, inside, stretch_samples


class SegmentGainConfig(GainConfig):
    """Changes the level of a short segment of the clip."""

    length_s: StretchSeconds = 0.1
    """Length of the segment in seconds. It is at a random position in the clip, not in its padding."""


@dataclass(frozen=True, slots=True)
class SegmentGainDraw:
    gain_db: float
    start: int
    """First sample of the segment."""


class SegmentGain(WaveOperation[SegmentGainConfig, SegmentGainDraw]):
    """Multiplies a random segment of each clip by a drawn factor.

    Source: `ampsegment` of EAT (arXiv 2204.11479), whose segments all start in the first 0.1 s; here the position is
    uniform.
    """

    name = "segment_gain"

    def __init__(self, config: SegmentGainConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.length = stretch_samples(config.length_s, sample_rate)

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> SegmentGainDraw:
        return SegmentGainDraw(draw_gain_db(rng, self.config), draw_start(rng, self.length, extent))

    def render(self, wave_BS: Tensor, draws: list[SegmentGainDraw], valid: list[int]) -> Tensor:
        louder_BS = wave_BS * factors([draw.gain_db for draw in draws], wave_BS)[:, None]
        return torch.where(inside([draw.start for draw in draws], self.length, wave_BS), louder_BS, wave_BS)
