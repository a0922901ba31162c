"""Gain: the same sound, louder or softer. Enters and leaves: waveforms (B, S)."""

from dataclasses import dataclass
from math import log10
from typing import Literal

import numpy as np
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.tensors import on_device
from audiosurvey.section import Section


class GainConfig(Section):
    """The level of a clip is changed."""

    p: Probability = 0.0
    """Chance that a clip's level is changed."""
    min_db: float = -6.0
    """One bound of the change of level in dB; drawn evenly between the two, whichever is the greater."""
    max_db: float = 6.0
    """The other bound in dB."""
    even_in: Literal["db", "amplitude"] = "db"
    """What is drawn evenly: the change in dB, or the factor on the samples (`amp` in EAT), which is loud more often."""

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
        return GainDraw(draw_gain_db(rng, self.config))

    def render(self, wave_BS: Tensor, draws: list[GainDraw], valid: list[int]) -> Tensor:
        return wave_BS * factors([draw.gain_db for draw in draws], wave_BS)[:, None]


def draw_gain_db(rng: np.random.Generator, config: GainConfig) -> float:
    """A change of level between the two bounds."""
    low, high = sorted((config.min_db, config.max_db))
    if config.even_in == "db":
        return float(rng.uniform(low, high))
    return 20 * log10(rng.uniform(10 ** (low / 20), 10 ** (high / 20)))


def factors(gains_db: list[float], like: Tensor) -> Tensor:
    """Gains in dB as factors (B), of the type and on the device of `like`."""
    return on_device([10 ** (gain_db / 20) for gain_db in gains_db], like.device, like.dtype)
