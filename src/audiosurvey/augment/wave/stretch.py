"""Random segments of a clip, for operations on a part of the wave."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import on_device

StretchSeconds = Annotated[float, Field(gt=0)]


def stretch_samples(length_s: float, sample_rate: int) -> int:
    """Length of a segment in samples, at least 1."""
    return max(1, round(length_s * sample_rate))


def draw_start(rng: np.random.Generator, length: int, extent: Extent) -> int:
    """First sample of a segment, uniform over all positions within `extent`; the first of `extent` if the segment is
    longer."""
    return (extent.first + int(rng.integers(max(0, extent.length - length) + 1))) % extent.size


def inside(starts: Sequence[int], length: int, like: Tensor) -> Tensor:
    """Masks (B, S) of the segments, which wrap around the end of the window."""
    starts_B1 = on_device(starts, like.device)[:, None]
    place_S = torch.arange(like.shape[1], device=like.device)
    return (place_S - starts_B1) % like.shape[1] < length
