"""Timemix: the beginning or the end of a waveform (B, S) is replaced by that of another training clip.

Source: EAT, arXiv 2204.11479. There the label weight is the fraction of the window; here padding is not counted.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.mixing.mixing import MixingConfig, Pair, WaveMixing
from audiosurvey.augment.mixing.mixup import OwnShare
from audiosurvey.augment.tensors import on_device


class TimemixConfig(MixingConfig):
    """Replaces the beginning or the end of the clip by that of another training clip."""

    min_ratio: OwnShare = 0.5
    """Minimum fraction of the window that the clip keeps; drawn uniformly between this and 1."""


@dataclass(frozen=True, slots=True)
class TimemixDraw:
    ratio: float
    """Fraction of the window that is kept."""
    replaced: str
    """Which end comes from the partner: "start" or "end"."""


class Timemix(WaveMixing[TimemixConfig, TimemixDraw]):
    """Replaces one end of each clip by that of its partner."""

    name = "timemix"

    def draw(self, rng: np.random.Generator) -> TimemixDraw:
        ratio = float(rng.uniform(self.config.min_ratio, 1))
        return TimemixDraw(ratio, "start" if rng.random() < 0.5 else "end")

    def mix(self, waves: Pair, valids: Pair, draws: list[TimemixDraw]) -> tuple[Tensor, Tensor]:
        samples, device = waves[0].shape[1], waves[0].device
        kept_B2 = on_device([_kept(draw, samples) for draw in draws], device)
        place_S = torch.arange(samples, device=device)
        own_BS = (place_S >= kept_B2[:, :1]) & (place_S < kept_B2[:, 1:])
        sounds_BS = tuple(place_S < on_device(valid_B, device)[:, None] for valid_B in valids)
        kept_BS, taken_BS = sounds_BS[0] & own_BS, sounds_BS[1] & ~own_BS
        kept_B, taken_B = kept_BS.sum(1), taken_BS.sum(1)
        ratio_B = on_device([draw.ratio for draw in draws], device)
        weight_B = torch.where(kept_B + taken_B > 0, kept_B / (kept_B + taken_B).clamp(min=1), ratio_B)
        return torch.where(own_BS, *waves), weight_B.to(waves[0])

    def valid_after(self, draw: TimemixDraw, valid: int, partner_valid: int, samples: int) -> int:
        first, end = _kept(draw, samples)
        if draw.replaced == "start":
            return valid if valid > first else min(partner_valid, first)
        return partner_valid if partner_valid > end else min(valid, end)


def _kept(draw: TimemixDraw, samples: int) -> tuple[int, int]:
    """First sample that is kept, and the one after the last."""
    kept = round(draw.ratio * samples)
    return (samples - kept, samples) if draw.replaced == "start" else (0, kept)
