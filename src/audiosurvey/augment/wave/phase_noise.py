"""Phase noise: small random changes of the phases of the spectrum. Works on waveforms (B, S)."""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.stft import SIZES, from_polar, sizes, through_spectra
from audiosurvey.augment.tensors import on_device
from audiosurvey.augment.wave.noise import TABLE_SAMPLES, noise_windows


class PhaseNoiseConfig(OperationConfig):
    """Changes the phases of the spectrum at random."""

    min_depth: float = Field(default=0.01, ge=0, le=pi)
    """One bound of the depth, the maximum phase change in radians; drawn uniformly between both bounds, in either
    order."""
    max_depth: float = Field(default=0.02, ge=0, le=pi)
    """The other bound in radians."""


@dataclass(frozen=True, slots=True)
class PhaseNoiseDraw:
    depth: float
    size: int
    """Index of the STFT size."""
    offset: int
    """Offset into the table of uniform noise (modulo the number of windows)."""


class PhaseNoise(WaveOperation[PhaseNoiseConfig, PhaseNoiseDraw]):
    """Multiplies every STFT bin of each clip by exp(i w), w = depth (u + i v), with u and v uniform in [0, 1).

    Source: `phn` of EAT (arXiv 2204.11479), where w is complex: u changes the phase, and v, perhaps by oversight,
    attenuates the magnitude by up to `depth`. As there, no window is applied.
    """

    name = "phase_noise"

    def __init__(self, config: PhaseNoiseConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.sizes = sizes(sample_rate)

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> PhaseNoiseDraw:
        low, high = sorted((self.config.min_depth, self.config.max_depth))
        return PhaseNoiseDraw(float(rng.uniform(low, high)), int(rng.integers(SIZES)), int(rng.integers(TABLE_SAMPLES)))

    def render(self, wave_BS: Tensor, draws: list[PhaseNoiseDraw], valid: list[int]) -> Tensor:
        def disturb(spectrum_BNT: Tensor, rows: list[int]) -> Tensor:
            cells = spectrum_BNT[0].numel()
            table = noise_windows([draws[row].offset for row in rows], 2 * cells, spectrum_BNT.device, "uniform")
            # Uniform noise of unit power is in [-sqrt(3), sqrt(3)).
            uniform = table.div_(sqrt(3)).add_(1).div_(2)
            turn, weakening = uniform.view(len(rows), 2, *spectrum_BNT.shape[1:]).unbind(1)
            depth_B11 = on_device([draws[row].depth for row in rows], turn.device)[:, None, None]
            return spectrum_BNT * from_polar(torch.exp(-depth_B11 * weakening), depth_B11 * turn)

        return through_spectra((wave_BS,), [self.sizes[draw.size] for draw in draws], disturb, hann=False)
