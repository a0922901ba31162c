"""Cyclic shift: a circular shift of the whole window, padding included. Works on waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augmentation.base import WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.operation_config import OperationConfig
from audiosurvey.augmentation.tensors import on_device


class CyclicShiftConfig(OperationConfig):
    """Circularly shifts the window in time."""

    max_s: float | None = Field(default=None, gt=0)
    """Maximum shift in seconds, in either direction; null for the whole window."""


@dataclass(frozen=True, slots=True)
class CyclicShiftDraw:
    shift_samples: int
    """Positive: to a later time."""


class CyclicShift(WaveOperation[CyclicShiftDraw]):
    """Shifts the window of each clip by a drawn number of samples."""

    name = "cyclic_shift"

    def __init__(self, config: CyclicShiftConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        self.max_samples = None if config.max_s is None else round(config.max_s * sample_rate)

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> CyclicShiftDraw:
        if self.max_samples is None:
            return CyclicShiftDraw(int(rng.integers(0, samples)))
        return CyclicShiftDraw(int(rng.integers(-self.max_samples, self.max_samples + 1)))

    def render(self, wave_BS: Tensor, draws: list[CyclicShiftDraw], valid: list[int]) -> Tensor:
        samples = wave_BS.shape[1]
        # Each shifted clip is a window of the clip repeated twice; all windows of all clips are one strided view.
        twice = torch.cat([wave_BS, wave_BS], dim=1).reshape(-1).unfold(0, samples, 1)
        starts = [row * 2 * samples + (-draw.shift_samples) % samples for row, draw in enumerate(draws)]
        return twice.index_select(0, on_device(starts, wave_BS.device))

    def extent_after(self, draw: CyclicShiftDraw, extent: Extent) -> Extent:
        return extent.turned(draw.shift_samples)
