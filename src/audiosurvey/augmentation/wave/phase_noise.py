"""Phase noise: the phases of the clip's spectrum tremble a little, and its magnitudes with them.

Enters and leaves: waveforms (B, S).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.stft import SIZES, sizes, through_spectra
from audiosurvey.augmentation.tensors import on_device
from audiosurvey.augmentation.wave.noise import TABLE_SAMPLES, noise_windows
from audiosurvey.section import Section


class PhaseNoiseConfig(Section):
    """The phases of the spectrum are disturbed."""

    p: Probability = 0.0
    """Chance that a clip's phases are disturbed."""
    min_depth: float = 0.01
    """One bound of the depth, the greatest turn of a phase in radians; drawn evenly between the two, whichever is the
    greater."""
    max_depth: float = 0.02
    """The other bound in radians."""

    @field_validator("min_depth", "max_depth")
    @classmethod
    def _a_depth(cls, depth: float) -> float:
        if not 0 <= depth <= np.pi:
            raise ValueError(f"a phase is turned by 0 to pi radians; got {depth:g}")
        return depth


@dataclass(frozen=True, slots=True)
class PhaseNoiseDraw:
    depth: float
    size: int
    """Which of the three sizes of the spectrum."""
    offset: int
    """Where in the table of uniform noise the clip's begins (modulo the places there are)."""


class PhaseNoise(WaveOperation[PhaseNoiseDraw]):
    """Multiplies every cell of each clip's spectrum by exp(i w), w = depth (u + i v), u and v uniform in [0, 1).

    Source: `phn` of EAT (arXiv 2204.11479), where w is drawn as a complex number: u turns the phase, and v, perhaps
    by oversight, weakens the magnitude by up to `depth`. No window, as there.
    """

    name = "phase_noise"

    def __init__(self, config: PhaseNoiseConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        self.config = config
        self.sizes = sizes(sample_rate)

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> PhaseNoiseDraw:
        low, high = sorted((self.config.min_depth, self.config.max_depth))
        return PhaseNoiseDraw(float(rng.uniform(low, high)), int(rng.integers(SIZES)), int(rng.integers(TABLE_SAMPLES)))

    def render(self, wave_BS: Tensor, draws: list[PhaseNoiseDraw], valid: list[int]) -> Tensor:
        def disturb(spectrum_BNT: Tensor, rows: list[int]) -> Tensor:
            cells = spectrum_BNT[0].numel()
            table = noise_windows([draws[row].offset for row in rows], 2 * cells, spectrum_BNT.device, "uniform")
            # Uniform noise of unit power lies between -sqrt(3) and sqrt(3).
            uniform = (table / sqrt(3) + 1) / 2
            turn, weakening = uniform.view(len(rows), 2, *spectrum_BNT.shape[1:]).unbind(1)
            depth_B11 = on_device([draws[row].depth for row in rows], turn.device)[:, None, None]
            return spectrum_BNT * torch.polar(torch.exp(-depth_B11 * weakening), depth_B11 * turn)

        return through_spectra((wave_BS,), [self.sizes[draw.size] for draw in draws], disturb, hann=False)
