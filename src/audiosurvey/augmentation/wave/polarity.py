"""Polarity: the wave is turned upside down, as by a microphone wired the other way.

Enters and leaves: waveforms (B, S). It sounds the same, and a network on waveforms has to learn that. A mel
spectrogram does not change, so that a network on spectrograms gains nothing.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.section import Section


class PolarityConfig(Section):
    """The wave is turned upside down: heard by networks on waveforms alone, a spectrogram stays the same."""

    p: Probability = 0.0
    """Chance that a clip is turned; 0.5 shows both polarities equally often."""


@dataclass(frozen=True, slots=True)
class PolarityDraw:
    """Nothing is drawn but the coin."""


class Polarity(WaveOperation[PolarityDraw]):
    """Flips the sign of every sample (`neg` in EAT, arXiv 2204.11479)."""

    name = "polarity"

    def __init__(self, config: PolarityConfig) -> None:
        super().__init__(config.p)

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> PolarityDraw:
        return PolarityDraw()

    def render(self, wave_BS: Tensor, draws: list[PolarityDraw], valid: list[int]) -> Tensor:
        return -wave_BS
