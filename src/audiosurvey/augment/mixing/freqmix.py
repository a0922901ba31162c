"""Freqmix: the low or the high frequencies of a waveform (B, S) are replaced by those of another training clip.

Source: EAT, arXiv 2204.11479.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.mixing.mixing import MixingConfig, Pair, WaveMixing
from audiosurvey.augment.mixing.mixup import OwnShare
from audiosurvey.augment.stft import SIZES, sizes, through_spectra
from audiosurvey.augment.tensors import on_device


class FreqmixConfig(MixingConfig):
    """Replaces the lowest or the highest frequencies by those of another training clip."""

    min_ratio: OwnShare = 0.5
    """Minimum fraction of the linear frequency axis that the clip keeps; drawn uniformly between this and 1."""


@dataclass(frozen=True, slots=True)
class FreqmixDraw:
    ratio: float
    """Fraction of the frequencies that is kept, and weight of the clip's own label."""
    replaced: str
    """Which frequencies come from the partner: "low" or "high"."""
    size: int
    """Index of the STFT size."""


class Freqmix(WaveMixing[FreqmixConfig, FreqmixDraw]):
    """Replaces one end of each clip's spectrum by that of its partner."""

    name = "freqmix"

    def __init__(self, config: FreqmixConfig, *, sample_rate: int) -> None:
        super().__init__(config)
        self.sizes = sizes(sample_rate)

    def draw(self, rng: np.random.Generator) -> FreqmixDraw:
        ratio = float(rng.uniform(self.config.min_ratio, 1))
        return FreqmixDraw(ratio, "low" if rng.random() < 0.5 else "high", int(rng.integers(SIZES)))

    def mix(self, waves: Pair, valids: Pair, draws: list[FreqmixDraw]) -> tuple[Tensor, Tensor]:
        def blend(own_BNT: Tensor, other_BNT: Tensor, rows: list[int]) -> Tensor:
            bins = own_BNT.shape[1]
            bounds = on_device([_kept(draws[row], bins) for row in rows], own_BNT.device)[..., None]
            at_N = torch.arange(bins, device=own_BNT.device)
            own_BN = (at_N >= bounds[:, 0]) & (at_N < bounds[:, 1])
            return torch.where(own_BN[..., None], own_BNT, other_BNT)

        mixed_BS = through_spectra(waves, [self.sizes[draw.size] for draw in draws], blend, hann=True)
        return mixed_BS, on_device([draw.ratio for draw in draws], mixed_BS.device)


def _kept(draw: FreqmixDraw, bins: int) -> tuple[int, int]:
    """First bin that is kept, and the one after the last."""
    kept = round(draw.ratio * bins)
    return (bins - kept, bins) if draw.replaced == "low" else (0, kept)
