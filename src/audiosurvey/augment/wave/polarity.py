"""Polarity: the wave is inverted, as by a microphone with swapped wires. Works on waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent


class PolarityConfig(OperationConfig):
    """Inverts the wave. Only useful for networks on waveforms: a spectrogram does not change."""


@dataclass(frozen=True, slots=True)
class PolarityDraw:
    """Nothing else is drawn."""


class Polarity(WaveOperation[PolarityConfig, PolarityDraw]):
    """Flips the sign of every sample (`neg` in EAT, arXiv 2204.11479)."""

    name = "polarity"

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> PolarityDraw:
        return PolarityDraw()

    def render(self, wave_BS: Tensor, draws: list[PolarityDraw], valid: list[int]) -> Tensor:
        return -wave_BS
