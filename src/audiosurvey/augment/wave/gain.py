"""Gain: a change of level. Works on waveforms (B, S)."""

from dataclasses import dataclass
from math import log10
from typing import Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import on_device


class GainConfig(OperationConfig):
    """Changes the level."""

    min_db: float = Field(default=-6.0, ge=-60, le=60)
    """One bound of the gain in dB; drawn between both bounds, in either order."""
    max_db: float = Field(default=6.0, ge=-60, le=60)
    """The other bound in dB."""
    even_in: Literal["db", "amplitude"] = "db"
    """Scale on which the gain is drawn uniformly: dB, or amplitude (`amp` in EAT), which favours loud clips."""


@dataclass(frozen=True, slots=True)
class GainDraw:
    gain_db: float


class Gain(WaveOperation[GainConfig, GainDraw]):
    """Multiplies each clip by a drawn factor. Samples may exceed 1."""

    name = "gain"

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> GainDraw:
        return GainDraw(draw_gain_db(rng, self.config))

    def render(self, wave_BS: Tensor, draws: list[GainDraw], valid: list[int]) -> Tensor:
        return wave_BS * factors([draw.gain_db for draw in draws], wave_BS)[:, None]


def draw_gain_db(rng: np.random.Generator, config: GainConfig) -> float:
    """A gain between both bounds."""
    low, high = sorted((config.min_db, config.max_db))
    if config.even_in == "db":
        return float(rng.uniform(low, high))
    return 20 * log10(rng.uniform(10 ** (low / 20), 10 ** (high / 20)))


def factors(gains_db: list[float], like: Tensor) -> Tensor:
    """Gains in dB as amplitude factors (B), of the dtype and on the device of `like`."""
    return on_device([10 ** (gain_db / 20) for gain_db in gains_db], like.device, like.dtype)
