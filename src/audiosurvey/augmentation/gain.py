"""Gain: the same sound, louder or softer. Enters and leaves: waveforms (B, S)."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.section import Section


class GainConfig(Section):
    """The level of a clip is changed."""

    p: Probability = 0.0
    """Chance that a clip's level is changed."""
    min_db: float = -6.0
    """One bound of the change of level in dB; drawn evenly between the two, whichever is the greater."""
    max_db: float = 6.0
    """The other bound in dB."""

    @field_validator("min_db", "max_db")
    @classmethod
    def _audible(cls, db: float) -> float:
        if abs(db) > 60:
            raise ValueError(f"a change of level beyond 60 dB leaves nothing but rounding; got {db:g} dB")
        return db


@dataclass(frozen=True, slots=True)
class GainDraw:
    gain_db: float


class Gain(WaveOperation[GainDraw]):
    """Multiplies each clip by its own factor. Nothing is clipped: samples are floats and may exceed 1."""

    name = "gain"

    def __init__(self, config: GainConfig) -> None:
        super().__init__(config.p)
        self.config = config

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> GainDraw:
        low, high = sorted((self.config.min_db, self.config.max_db))
        return GainDraw(float(rng.uniform(low, high)))

    def render(self, wave_BS: Tensor, draws: list[GainDraw], valid: list[int]) -> Tensor:
        factors = [10 ** (draw.gain_db / 20) for draw in draws]
        return wave_BS * torch.tensor(factors, dtype=wave_BS.dtype, device=wave_BS.device)[:, None]
