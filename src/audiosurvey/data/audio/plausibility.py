"""What samples may hold: numbers, of a size that a recording can have.

Every reader of sound checks its samples here: decoding, streams, arrays given to a model.
"""

import numpy as np

MAX_MAGNITUDE = 1e10
"""Full scale is 1. Files of floating-point samples may go beyond it: some programs write integers as floats without
scaling them, which reaches 2^31 = 2.1e9 for 32 bits. Larger samples come from damaged files. They also break the
computation: a power spectrum squares a sum over a window, so that with 16 384 samples of 1e10 a mel band of some
thousand bins stays near 1e31; samples of 4e13 would take it beyond the largest float32, 3.4e38."""


def implausible(x: np.ndarray) -> str | None:
    """Why these samples are no sound, in plain words; None where they are, or where there are none."""
    if x.size == 0:
        return None
    # The extremes carry any NaN or infinity, without a mask as long as the sound.
    peak = max(float(x.max()), -float(x.min()))
    if not np.isfinite(peak):
        return "holds samples that are not numbers (NaN or infinity)"
    if peak > MAX_MAGNITUDE:
        return f"holds samples up to {peak:.3g}, where full scale is 1: damaged, or not sound"
    return None
