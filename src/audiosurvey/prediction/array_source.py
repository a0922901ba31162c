"""Sounds in memory as sound sources."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audiosurvey.data.audio.decoding import Mono, resample, resampled_length


@dataclass(frozen=True, slots=True)
class ArraySource:
    """A mono sound in memory, float32 (S) with full scale 1, at `rate` Hz."""

    wave_S: np.ndarray
    rate: int
    name: str
    live: bool = False

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        yield resample(self.wave_S, self.rate, sample_rate)

    def length(self, sample_rate: int) -> int:
        return resampled_length(len(self.wave_S), self.rate, sample_rate)
