"""Polarity: the wave is inverted, as by a microphone with swapped wires. Works on waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from audiosurvey.augmentation.base import WaveOperation
from audiosurvey.augmentation.operation_config import OperationConfig


class PolarityConfig(OperationConfig):
    """Inverts the wave. Only useful for networks on waveforms: a spectrogram does not change."""


@dataclass(frozen=True, slots=True)
class PolarityDraw:
    """Nothing else is drawn."""


class Polarity(WaveOperation[PolarityDraw]):
    """Flips the sign of every sample (`neg` in EAT, arXiv 2204.11479)."""

    name = "polarity"

    def __init__(self, config: PolarityConfig) -> None:
        super().__init__(config.p)

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> PolarityDraw:
        return PolarityDraw()

    def render(self, wave_BS: Tensor, draws: list[PolarityDraw], valid: list[int]) -> Tensor:
        return -wave_BS
