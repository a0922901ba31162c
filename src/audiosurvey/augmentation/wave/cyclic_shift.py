"""Cyclic shift: the window is turned round, what leaves at one end comes in at the other.

Enters and leaves: waveforms (B, S). The whole window turns, padding included, so that a short clip also
stands at other places of it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.tensors import on_device
from audiosurvey.section import Section


class CyclicShiftConfig(Section):
    """The window is turned round by a random time."""

    p: Probability = 0.0
    """Chance that a clip is shifted."""
    max_s: float | None = None
    """Greatest shift in seconds, to either side; absent: any place of the window."""

    @field_validator("max_s")
    @classmethod
    def _moves(cls, seconds: float | None) -> float | None:
        if seconds is not None and seconds <= 0:
            raise ValueError(f"the greatest shift is a time above 0 s; got {seconds:g} (leave it out for any shift)")
        return seconds


@dataclass(frozen=True, slots=True)
class CyclicShiftDraw:
    shift_samples: int
    """Later by so many samples; negative: earlier."""


class CyclicShift(WaveOperation[CyclicShiftDraw]):
    """Turns each clip's window by its own number of samples."""

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
        # Every turned clip is a window of the clip written twice; all windows of all clips are one strided
        # view.
        twice = torch.cat([wave_BS, wave_BS], dim=1).reshape(-1).unfold(0, samples, 1)
        starts = [row * 2 * samples + (-draw.shift_samples) % samples for row, draw in enumerate(draws)]
        return twice.index_select(0, on_device(starts, wave_BS.device))

    def extent_after(self, draw: CyclicShiftDraw, extent: Extent) -> Extent:
        return extent.turned(draw.shift_samples)
