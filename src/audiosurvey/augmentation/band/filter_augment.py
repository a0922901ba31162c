"""FilterAugment: some frequencies of a clip are made louder and others softer, as another microphone or room would.

Enters: a clip's random stream; leaves: dB a band, for the front end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.augmentation.base import BandOperation
from audiosurvey.augmentation.operation_config import OperationConfig


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


class FilterAugment(BandOperation[FilterAugmentDraw]):
    """Draws the curves; the front end applies them, for they act on levels before their compression.

    Source: Nam et al. 2022, FilterAugment (arXiv 2110.03282), its linear form; there one draw serves a whole batch.
    """

    name = "filter_augment"

    def __init__(self, config: FilterAugmentConfig) -> None:
        super().__init__(config.p)
        self.config = config

    def draw_fired(self, rng: np.random.Generator) -> FilterAugmentDraw:
        config = self.config
        points = int(rng.integers(config.min_points, config.max_points + 1))
        inner = np.sort(rng.random(points - 2)).tolist()
        gains = rng.uniform(config.min_db, config.max_db, points).tolist()
        return FilterAugmentDraw((0.0, *inner, 1.0), tuple(gains))

    def gains(self, draws: Sequence[FilterAugmentDraw | None], bands: int) -> torch.Tensor | None:
        """dB to add to each band of each clip, (B, F) float32; None where no clip is touched."""
        if not any(draws):
            return None
        place_F = np.linspace(0, 1, bands)
        flat_F = np.zeros(bands)
        curve_BF = [flat_F if draw is None else np.interp(place_F, draw.places, draw.gains_db) for draw in draws]
        return torch.from_numpy(np.stack(curve_BF).astype(np.float32))
