"""Mixup: two training clips are heard at once, and the label says how much there is of each.

Enters: raw waveforms (B, S) with their targets (B, K), and those of their partners; leaves: the mixed ones.
Mixing comes first of all: every later augmentation acts on the mixture.

Source: Zhang et al., arXiv 1710.09412; the level-aware ratio is that of between-class learning, Tokozume et
al., arXiv 1711.10282, equation 2. Where those permute a batch, we draw the partner for each clip from the
whole training set, so that a clip's mixture does not depend on the batch it came in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, mean_power
from audiosurvey.section import Section

SILENT_POWER = 1e-10
"""Mean power (-100 dB below full scale) under which a clip has no level to speak of."""


class MixupConfig(Section):
    """A second training clip is mixed in."""

    p: Probability = 0.0
    """Chance that a clip is mixed with another."""
    alpha: float = 1.0
    """Both parameters of the Beta distribution of the ratio: 1 draws all ratios alike, below 1 mostly
    near-pure clips, above 1 mostly even mixtures."""
    level_aware: bool = True
    """Correct the gains by the levels of the two clips, so that the label's ratio is the ratio of what is
    heard."""

    @field_validator("alpha")
    @classmethod
    def _has_shape(cls, alpha: float) -> float:
        if alpha <= 0:
            raise ValueError(f"alpha shapes the ratio between two clips and must be above 0; got {alpha:g}")
        return alpha


@dataclass(frozen=True, slots=True)
class MixupDraw:
    partner: int
    """Row of the partner among the training clips, ordered by their ids."""
    ratio: float
    """Weight of the own clip in the label; the partner has the rest."""


class Mixup:
    """Mixes each clip with its own partner at its own ratio."""

    name = "mixup"

    def __init__(self, config: MixupConfig) -> None:
        self.config = config

    def draw(self, rng: np.random.Generator, clips: int, own: int | None) -> MixupDraw | None:
        """The draw of one clip, or None. `clips`: how many may be partner; `own`: the clip's row, never
        drawn."""
        others = clips if own is None else clips - 1
        if not rng.random() < self.config.p or others < 1:
            return None
        partner = int(rng.integers(others))
        partner += own is not None and partner >= own
        return MixupDraw(partner, float(rng.beta(self.config.alpha, self.config.alpha)))

    def apply(
        self,
        waves: tuple[Tensor, Tensor],
        valids: tuple[Tensor, Tensor],
        targets: tuple[Tensor, Tensor],
        draws: Sequence[MixupDraw | None],
    ) -> tuple[Tensor, Tensor]:
        """Mixed waves and targets. Each pair holds the clips' own and the partners'; Shape (B, S), (B,), (B,
        K)."""
        ratios = [1.0 if draw is None else draw.ratio for draw in draws]
        ratio_B = torch.tensor(ratios, dtype=torch.float32, device=waves[0].device)
        if self.config.level_aware:
            own_B, other_B = level_aware_gains(
                ratio_B, *(mean_power(*pair) for pair in zip(waves, valids, strict=True))
            )
        else:
            own_B, other_B = ratio_B, 1 - ratio_B
        mixed_BS = own_B[:, None] * waves[0] + other_B[:, None] * waves[1]
        label_B1 = ratio_B[:, None].to(targets[0])
        return mixed_BS, label_B1 * targets[0] + (1 - label_B1) * targets[1]


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
