"""Mixup: the weighted sum of the waveforms (B, S) of two training clips.

Source: Zhang et al., arXiv 1710.09412; level-aware gains from between-class learning, Tokozume et al., arXiv
1711.10282, equation 2. Partners are drawn from the whole training set, not by permuting the batch, so that a mixture
does not depend on the batch.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.mixing.mixing import MixingConfig, Pair, WaveMixing
from audiosurvey.augment.tensors import mean_power, on_device

SILENT_POWER = 1e-10
"""Mean power (-100 dBFS) below which a clip counts as silent."""
OwnShare = Annotated[float, Field(ge=0, lt=1)]
"""A minimum fraction of the clip itself; below 1, so that something is mixed in."""


class RatioConfig(MixingConfig):
    """Options of a mixing whose ratio is Beta-distributed."""

    alpha: float = Field(default=1.0, gt=0)
    """Both parameters of the Beta distribution of the ratio: 1 is uniform, below 1 favours weak mixtures, above 1 equal
    ones."""
    dominant: bool = False
    """Replace ratios below one half by 1 - ratio, so that the clip itself dominates."""
    min_ratio: OwnShare = 0.0
    """Minimum ratio: ratios are rescaled linearly to the range from this to 1."""


class MixupConfig(RatioConfig):
    """Mixes in a second training clip, with its share of the label."""

    level_aware: bool = True
    """Correct the gains by the levels of both clips, so that the ratio is that of their loudness."""
    label: Literal["ratio", "gain"] = "ratio"
    """Weight of the clip's own label: the drawn ratio, or the level-corrected gain (EAT); the same if `level_aware` is
    false."""


@dataclass(frozen=True, slots=True)
class RatioDraw:
    ratio: float
    """Fraction of the clip itself; the rest is its partner's."""


class Mixup(WaveMixing[MixupConfig, RatioDraw]):
    """Mixes each clip with its partner at a drawn ratio."""

    name = "mixup"

    def draw(self, rng: np.random.Generator) -> RatioDraw:
        return RatioDraw(draw_ratio(rng, self.config))

    def mix(self, waves: Pair, valids: Pair, draws: list[RatioDraw]) -> tuple[Tensor, Tensor]:
        ratio_B = ratios(draws, waves[0])
        if self.config.level_aware:
            own_B, other_B = level_aware_gains(
                ratio_B, *(mean_power(*pair) for pair in zip(waves, valids, strict=True))
            )
        else:
            own_B, other_B = ratio_B, 1 - ratio_B
        mixed_BS = own_B[:, None] * waves[0] + other_B[:, None] * waves[1]
        weight_B = own_B / (own_B + other_B) if self.config.label == "gain" else ratio_B
        return mixed_BS, weight_B


def draw_ratio(rng: np.random.Generator, config: RatioConfig) -> float:
    """The fraction of the clip itself, in [min_ratio, 1]."""
    drawn = float(rng.beta(config.alpha, config.alpha))
    if config.dominant:
        drawn = max(drawn, 1 - drawn)
    return config.min_ratio + (1 - config.min_ratio) * drawn


def ratios(draws: list[RatioDraw], like: Tensor) -> Tensor:
    """The ratios (B), of the dtype and on the device of `like`."""
    return on_device([draw.ratio for draw in draws], like.device, like.dtype)


def level_aware_gains(ratio_B: Tensor, power_B: Tensor, partner_power_B: Tensor) -> tuple[Tensor, Tensor]:
    """Gains of the clip and its partner that give the ratio in loudness, and keep the loudness of the mixture.

    With levels G, G' in dB and ratio lam: p = 1 / (1 + 10^((G - G')/20) (1 - lam)/lam); the gains p and 1 - p are
    divided by sqrt(p² + (1-p)²). If one of the clips is silent, p = lam.
    """
    heard_B = (power_B > SILENT_POWER) & (partner_power_B > SILENT_POWER)
    level_ratio_B = torch.where(heard_B, power_B / partner_power_B.clamp(min=SILENT_POWER), 1.0).sqrt()
    p_B = ratio_B / (ratio_B + level_ratio_B * (1 - ratio_B))
    norm_B = torch.sqrt(p_B.square() + (1 - p_B).square())
    return p_B / norm_B, (1 - p_B) / norm_B
