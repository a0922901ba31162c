"""Mixup of mel spectrograms (B, C, T, F): the weighted sum of two, each augmented separately.

Source: PANNs (arXiv 1912.10211). As there, it comes after masking, so that the masked cells of one clip show the other.
"""

import numpy as np
from torch import Tensor

from audiosurvey.augment.mixing.mixing import Extents, MelMixing, Pair
from audiosurvey.augment.mixing.mixup import RatioConfig, RatioDraw, draw_ratio, ratios


class MelMixupConfig(RatioConfig):
    """Mixes in the spectrogram of a second training clip, after all other augmentation of both (as in PANNs). Every
    mixed clip requires a second spectrogram."""


class MelMixup(MelMixing[MelMixupConfig, RatioDraw]):
    """Adds the spectrogram of the partner at a drawn ratio, without correcting levels."""

    name = "mel_mixup"

    def draw(self, rng: np.random.Generator) -> RatioDraw:
        return RatioDraw(draw_ratio(rng, self.config))

    def mix(self, mels: Pair, draws: list[RatioDraw], extents: Extents | None = None) -> tuple[Tensor, Tensor]:
        ratio_B = ratios(draws, mels[0])
        ratio_B111 = ratio_B[:, None, None, None]
        return ratio_B111 * mels[0] + (1 - ratio_B111) * mels[1], ratio_B
