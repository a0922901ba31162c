"""Polarity: the wave is inverted, as by a microphone with swapped wires. Works on waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.section import Section


class PolarityConfig(Section):
    """Inverts the wave. Only useful for networks on waveforms: a spectrogram does not change."""

    p: Probability = 0.0
    """Probability that a clip is inverted; 0.5 makes both polarities equally likely."""


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
