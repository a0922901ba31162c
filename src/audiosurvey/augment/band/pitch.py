"""Pitch: the bands of a clip take the content of lower or higher bands, while its tempo stays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.band.operation import BandOperation
from audiosurvey.augment.factor import FactorConfig
from audiosurvey.features.filters import MelScale, hz_to_mel, mel_to_hz
from audiosurvey.features.mel import MelFrontEnd


class PitchConfig(FactorConfig):
    """Changes the pitch without the tempo, by interpolating mel bands. Much cheaper than `speed`, which resamples the
    wave."""


@dataclass(frozen=True, slots=True)
class PitchDraw:
    pitch: float
    """Output frequency / input frequency."""


class Pitch(BandOperation[PitchConfig, PitchDraw]):
    """Multiplies the frequencies of each clip by its own factor.

    Source: vocal tract length perturbation (Jaitly and Hinton 2013), there for speech and with a bend near half the
    sample rate; here one factor applies to all frequencies.
    """

    name = "pitch"

    def draw_fired(self, rng: np.random.Generator) -> PitchDraw:
        return PitchDraw(self.config.draw(rng))

    def change(self, mel_BTF: Tensor, draws: Sequence[PitchDraw | None], front_end: MelFrontEnd) -> Tensor:
        config = front_end.config
        pitch_B = torch.tensor([1.0 if draw is None else draw.pitch for draw in draws])
        moved_BFF = transposition(pitch_B, config.limits_hz(front_end.sample_rate), config.n_mels, config.mel_scale)
        return mel_BTF @ moved_BFF.to(mel_BTF.device, mel_BTF.dtype, non_blocking=True)


def transposition(pitch_B: Tensor, limits_hz: tuple[float, float], bands: int, mel_scale: MelScale) -> Tensor:
    """The matrix (B, from bands, to bands) that transposes mel bands by these factors; float32, computed in float64.

    The band centred at f is interpolated linearly between the two bands whose centres are next to f / pitch; beyond
    the lowest and the highest centre, the outermost band is repeated. A factor of 1 gives the identity.
    """
    pitch_B1 = pitch_B.double()[:, None]
    low, high = hz_to_mel(torch.tensor(limits_hz, dtype=torch.float64), mel_scale)
    band_F = torch.arange(bands, dtype=torch.float64)
    centre_F = mel_to_hz(low + (high - low) * (band_F + 1) / (bands + 1), mel_scale)
    place_BF = (hz_to_mel(centre_F / pitch_B1, mel_scale) - low) / (high - low) * (bands + 1) - 1
    place_BF = torch.where(pitch_B1 == 1, band_F, place_BF).clamp(0, bands - 1)
    return (1 - (place_BF[:, None, :] - band_F[:, None]).abs()).clamp(min=0).float()
