"""Mixup: two training clips are heard at once.

Enters: raw waveforms (B, S) and those of their partners; leaves: their weighted sums.

Source: Zhang et al., arXiv 1710.09412; the level-aware ratio is that of between-class learning, Tokozume et
al., arXiv 1711.10282, equation 2. Where those permute a batch, we draw the partner for each clip from the
whole training set, so that a clip's mixture does not depend on the batch it came in.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.mixing.mixing import MixingConfig, Pair, WaveMixing
from audiosurvey.augmentation.tensors import mean_power, on_device

SILENT_POWER = 1e-10
"""Mean power (-100 dB below full scale) under which a clip has no level to speak of."""


class RatioConfig(MixingConfig):
    """The keys of a mixing whose ratio comes from a Beta distribution."""

    alpha: float = 1.0
    """Both parameters of the Beta distribution of the ratio: 1 draws all ratios alike, below 1 mostly
    near-pure clips, above 1 mostly even mixtures."""
    dominant: bool = False
    """The clip keeps the greater share: a ratio below one half is turned round."""
    min_ratio: float = 0.0
    """Least share of the clip itself: ratios are pressed together so as to lie between this and 1."""

    @field_validator("alpha")
    @classmethod
    def _has_shape(cls, alpha: float) -> float:
        if alpha <= 0:
            raise ValueError(f"alpha shapes the ratio between two clips and must be above 0; got {alpha:g}")
        return alpha

    @field_validator("min_ratio")
    @classmethod
    def _leaves_room(cls, ratio: float) -> float:
        return a_share(ratio)


class MixupConfig(RatioConfig):
    """A second training clip is mixed in."""

    level_aware: bool = True
    """Correct the gains by the levels of the two clips, so that the label's ratio is the ratio of what is
    heard."""
    label: Literal["ratio", "gain"] = "ratio"
    """The clip's weight in the label: the ratio that was drawn, or the gain that the correction by level made of it (as
    EAT has it); the same thing where `level_aware` is false."""


@dataclass(frozen=True, slots=True)
class RatioDraw:
    ratio: float
    """Share of the clip itself; its partner has the rest."""


class Mixup(WaveMixing[RatioDraw]):
    """Mixes each clip with its own partner at its own ratio."""

    name = "mixup"

    def __init__(self, config: MixupConfig) -> None:
        super().__init__(config)
        self.config = config

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
    """The clip's own share, in [min_ratio, 1]."""
    drawn = float(rng.beta(config.alpha, config.alpha))
    if config.dominant:
        drawn = max(drawn, 1 - drawn)
    return config.min_ratio + (1 - config.min_ratio) * drawn


def ratios(draws: list[RatioDraw], like: Tensor) -> Tensor:
    """The ratios of these draws, (B), of the type and on the device of `like`."""
    return on_device([draw.ratio for draw in draws], like.device, like.dtype)


def a_share(ratio: float) -> float:
    """Refuses what is no share of a clip that leaves its partner anything."""
    if not 0 <= ratio < 1:
        raise ValueError(f"the clip's own share lies between 0 and below 1, else nothing is mixed in; got {ratio:g}")
    return ratio


def level_aware_gains(ratio_B: Tensor, power_B: Tensor, partner_power_B: Tensor) -> tuple[Tensor, Tensor]:
    """Gains of the clip and its partner at which the label's ratio is heard, and the mixture keeps its
    loudness.

    With levels G, G' in dB: p = 1 / (1 + 10^((G - G')/20) (1 - lam)/lam), and both gains p, 1 - p are divided
    by sqrt(p² + (1-p)²). A silent clip has no level to match; then p = lam.
    """
    heard_B = (power_B > SILENT_POWER) & (partner_power_B > SILENT_POWER)
    level_ratio_B = torch.where(heard_B, power_B / partner_power_B.clamp(min=SILENT_POWER), 1.0).sqrt()
    p_B = ratio_B / (ratio_B + level_ratio_B * (1 - ratio_B))
    norm_B = torch.sqrt(p_B.square() + (1 - p_B).square())
    return p_B / norm_B, (1 - p_B) / norm_B
