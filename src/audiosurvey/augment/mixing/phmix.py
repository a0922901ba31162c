"""Phmix: the phases of a waveform's spectrum are blended with those of another training clip.

The partner is hardly audible, so that the clip keeps at least half of the label. Source: EAT, arXiv 2204.11479. Unlike
there, bins in which the partner is inaudible keep the phase of the clip.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.mixing.mixing import MixingConfig, Pair, WaveMixing
from audiosurvey.augment.stft import SIZES, from_polar, sizes, through_spectra
from audiosurvey.augment.tensors import on_device

AUDIBLE = 1e-5
"""Bins more than 100 dB below the strongest one are rounding noise, whose phase differs between devices."""


class PhmixConfig(MixingConfig):
    """Blends the phases of the spectrum with those of another training clip."""


@dataclass(frozen=True, slots=True)
class PhmixDraw:
    ratio: float
    """Weight of the clip's own phase; the weight of its label is 0.5 + 0.5 ratio."""
    size: int
    """Index of the STFT size."""


class Phmix(WaveMixing[PhmixConfig, PhmixDraw]):
    """Keeps the magnitudes of each clip and blends its phases with those of its partner."""

    name = "phmix"

    def __init__(self, config: PhmixConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.sizes = sizes(sample_rate)

    def draw(self, rng: np.random.Generator) -> PhmixDraw:
        return PhmixDraw(float(rng.random()), int(rng.integers(SIZES)))

    def mix(self, waves: Pair, valids: Pair, draws: list[PhmixDraw]) -> tuple[Tensor, Tensor]:
        device = waves[0].device

        def blend(own_BNT: Tensor, other_BNT: Tensor, rows: list[int]) -> Tensor:
            ratio_B11 = on_device([draws[row].ratio for row in rows], device)[:, None, None]
            own_phase, other_phase = phase(own_BNT), phase(other_BNT)
            power = _power(other_BNT)
            heard = power > AUDIBLE**2 * power.amax((1, 2), keepdim=True)
            blended = torch.lerp(own_phase, other_phase, heard * (1 - ratio_B11))
            return from_polar(_power(own_BNT).sqrt(), blended)

        # Without a window, as in the paper.
        mixed_BS = through_spectra(waves, [self.sizes[draw.size] for draw in draws], blend, hann=False)
        return mixed_BS, 0.5 + 0.5 * on_device([draw.ratio for draw in draws], device)

    def valid_after(self, draw: PhmixDraw, valid: int, partner_valid: int, samples: int) -> int:
        return valid


def phase(spectrum: Tensor) -> Tensor:
    """Angles in (-pi, pi]. Adding 0 removes the sign of negative zeros, which differs between FFTs. On CPUs, `atan2` of
    interleaved parts is much slower than that of copies."""
    return torch.atan2(spectrum.imag + 0.0, spectrum.real.clone())


def _power(spectrum: Tensor) -> Tensor:
    squares = torch.view_as_real(spectrum).square()
    return squares[..., 0] + squares[..., 1]
