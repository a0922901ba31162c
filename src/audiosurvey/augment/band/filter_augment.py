"""FilterAugment: some frequencies of a clip are made louder and others softer, as by another microphone or room."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from audiosurvey.augment.band.operation import BandOperation
from audiosurvey.augment.base import OperationConfig
from audiosurvey.augment.tensors import on_device
from audiosurvey.features.mel import MelFrontEnd


class FilterAugmentConfig(OperationConfig):
    """Adds a random piecewise linear curve in dB to the levels of the mel bands."""

    min_db: float = -6.0
    """Minimum gain of a point of the curve in dB; gains are drawn uniformly."""
    max_db: float = 6.0
    """Maximum gain of a point of the curve in dB."""
    min_points: int = Field(default=3, ge=2)
    """Minimum number of points: two at the lowest and the highest band, the others at random positions in between."""
    max_points: int = 6
    """Maximum number of points."""

    @field_validator("max_db", "max_points")
    @classmethod
    def _in_order(cls, value: float, info: ValidationInfo) -> float:
        of_gains = info.field_name == "max_db"
        least = info.data.get("min_db" if of_gains else "min_points", value)
        if value < least:
            what, unit = ("gain", " dB") if of_gains else ("number of points", "")
            raise ValueError(f"the greatest {what}, {value:g}{unit}, is below the least, {least:g}{unit}")
        return value


@dataclass(frozen=True, slots=True)
class FilterAugmentDraw:
    places: tuple[float, ...]
    """Of the points, rising from 0, the lowest band, to 1, the highest."""
    gains_db: tuple[float, ...]


class FilterAugment(BandOperation[FilterAugmentConfig, FilterAugmentDraw]):
    """Adds each clip's own curve of gains to the levels of its bands.

    Source: Nam et al. 2022, FilterAugment (arXiv 2110.03282), its linear form; there one draw serves a whole batch.
    """

    name = "filter_augment"

    def draw_fired(self, rng: np.random.Generator) -> FilterAugmentDraw:
        config = self.config
        points = int(rng.integers(config.min_points, config.max_points + 1))
        inner = np.sort(rng.random(points - 2)).tolist()
        gains = rng.uniform(config.min_db, config.max_db, points).tolist()
        return FilterAugmentDraw((0.0, *inner, 1.0), tuple(gains))

    def change(self, mel_BTF: Tensor, draws: Sequence[FilterAugmentDraw | None], front_end: MelFrontEnd) -> Tensor:
        place_F, flat_F = np.linspace(0, 1, mel_BTF.shape[2]), np.zeros(mel_BTF.shape[2])
        curves = [flat_F if draw is None else np.interp(place_F, draw.places, draw.gains_db) for draw in draws]
        gain_db_BF = on_device(np.stack(curves), mel_BTF.device, mel_BTF.dtype)
        # Gains are in dB of the wave, and a band holds the magnitude raised to `power`.
        return mel_BTF * (10 ** (gain_db_BF * (front_end.config.power / 20)))[:, None, :]
