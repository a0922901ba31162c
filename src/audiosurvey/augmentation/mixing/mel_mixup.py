"""Mixup of spectrograms: two clips' maps are added, each as augmented by itself.

Enters: mel spectrograms (B, C, T, F) and those of their partners; leaves: their weighted sums. In decibels a sum is no
mixture that could be heard, yet it trains well: it is the mixup of PANNs (arXiv 1912.10211), where it follows the
masks, so that the mask of one clip lets the other through.
"""

import numpy as np
from torch import Tensor

from audiosurvey.augmentation.mixing.mixing import Extents, MelMixing, Pair
from audiosurvey.augmentation.mixing.mixup import RatioConfig, RatioDraw, draw_ratio, ratios


class MelMixupConfig(RatioConfig):
    """A second training clip's spectrogram is added, both after all other augmentation (mixup as in PANNs). Costs a
    second rendering of every clip that is mixed."""


class MelMixup(MelMixing[RatioDraw]):
    """Adds each clip's map to its own partner's at its own ratio; levels are not corrected."""

    name = "mel_mixup"

    def __init__(self, config: MelMixupConfig) -> None:
        super().__init__(config)
        self.config = config

    def draw(self, rng: np.random.Generator) -> RatioDraw:
        return RatioDraw(draw_ratio(rng, self.config))

    def mix(self, mels: Pair, draws: list[RatioDraw], extents: Extents | None = None) -> tuple[Tensor, Tensor]:
        ratio_B = ratios(draws, mels[0])
        ratio_B111 = ratio_B[:, None, None, None]
        return ratio_B111 * mels[0] + (1 - ratio_B111) * mels[1], ratio_B
