"""A stretch of the clip: where an operation on a part of the wave takes hold."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import AfterValidator
from torch import Tensor

from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.tensors import on_device


def _some_length(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError(f"a stretch of sound has a length above 0 s; got {seconds:g} s")
    return seconds


StretchSeconds = Annotated[float, AfterValidator(_some_length)]
"""The length of a stretch in a config."""


def stretch_samples(length_s: float, sample_rate: int) -> int:
    """The length of a stretch, one sample at least."""
    return max(1, round(length_s * sample_rate))


def draw_start(rng: np.random.Generator, length: int, extent: Extent) -> int:
    """The first sample of a stretch, evenly over the places where it lies in the sound; the sound's first where the
    stretch is longer."""
    return (extent.first + int(rng.integers(max(0, extent.length - length) + 1))) % extent.size


def inside(starts: Sequence[int], length: int, like: Tensor) -> Tensor:
    """True where the stretches lie, each in its own clip's window, round its end. Shape (B, S)."""
    starts_B1 = on_device(starts, like.device)[:, None]
    place_S = torch.arange(like.shape[1], device=like.device)
    return (place_S - starts_B1) % like.shape[1] < length
