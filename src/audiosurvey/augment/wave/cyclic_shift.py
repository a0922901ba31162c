"""Cyclic shift: a circular shift of the whole window, padding included. Works on waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import windows


class CyclicShiftConfig(OperationConfig):
    """Circularly shifts the window in time."""

    max_s: float | None = Field(default=None, gt=0)
    """Maximum shift in seconds, in either direction; null for the whole window."""


@dataclass(frozen=True, slots=True)
class CyclicShiftDraw:
    shift_samples: int
    """Positive: to a later time."""


class CyclicShift(WaveOperation[CyclicShiftConfig, CyclicShiftDraw]):
    """Shifts the window of each clip by a drawn number of samples."""

    name = "cyclic_shift"

    def __init__(self, config: CyclicShiftConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.max_samples = None if config.max_s is None else round(config.max_s * sample_rate)

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> CyclicShiftDraw:
        if self.max_samples is None:
            return CyclicShiftDraw(int(rng.integers(0, extent.size)))
        return CyclicShiftDraw(int(rng.integers(-self.max_samples, self.max_samples + 1)))

    def render(self, wave_BS: Tensor, draws: list[CyclicShiftDraw], valid: list[int]) -> Tensor:
        samples = wave_BS.shape[1]
        starts = [-draw.shift_samples % samples for draw in draws]
        return windows(torch.cat([wave_BS, wave_BS], dim=1), starts, samples)

    def extent_after(self, draw: CyclicShiftDraw, extent: Extent) -> Extent:
        return extent.turned(draw.shift_samples)
