"""Checks of samples: they must be finite, and of a size that a recording can have."""

import numpy as np

MAX_MAGNITUDE = 1e10
"""Full scale is 1. Some programs write integers as floats without scaling them, which reaches 2^31 = 2.1e9; larger
samples come from damaged files, and the square of a sum over a window of 4e13 would overflow float32."""


def implausible(x: np.ndarray) -> str | None:
    """Why these samples are not sound; None where they are, or where there are none."""
    if x.size == 0:
        return None
    # The extremes carry any NaN or infinity, without a mask as long as the sound.
    peak = max(float(x.max()), -float(x.min()))
    if not np.isfinite(peak):
        return "contains samples that are not numbers (NaN or infinity)"
    if peak > MAX_MAGNITUDE:
        return f"contains samples up to {peak:.3g}, where full scale is 1: damaged, or not sound"
    return None
