"""Timemix: the beginning or the end of a clip is taken from another training clip.

Enters: raw waveforms (B, S) and those of their partners; leaves: the clips' with a stretch of the partners', at the
place it has there. The seam is a plain cut.

Source: EAT, arXiv 2204.11479 (the label there goes by the share of the window). We depart where clips are padded:
samples that hold nothing are not counted, so that no label speaks of a clip of which only its padding was taken.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.mixing.mixing import MixingConfig, Pair, WaveMixing
from audiosurvey.augmentation.mixing.mixup import a_share
from audiosurvey.augmentation.tensors import on_device


class TimemixConfig(MixingConfig):
    """The beginning or the end of the clip is another training clip's."""

    min_ratio: float = 0.5
    """Least share of the window that stays the clip's own; drawn evenly between this and 1."""

    @field_validator("min_ratio")
    @classmethod
    def _leaves_room(cls, ratio: float) -> float:
        return a_share(ratio)


@dataclass(frozen=True, slots=True)
class TimemixDraw:
    ratio: float
    """Share of the window that stays."""
    replaced: str
    """Which stretch the partner fills: "start" or "end"."""


class Timemix(WaveMixing[TimemixDraw]):
    """Replaces one end of each clip by its own partner's."""

    name = "timemix"

    def __init__(self, config: TimemixConfig) -> None:
        super().__init__(config)
        self.config = config

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
    """First sample that stays the clip's own, and the one after the last."""
    kept = round(draw.ratio * samples)
    return (samples - kept, samples) if draw.replaced == "start" else (0, kept)
