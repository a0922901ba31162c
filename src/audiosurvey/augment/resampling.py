"""Waveforms read at a constant rational speed, as matrix products, which is faster than interpolating each
sample.

At a speed of p / q, every q output samples advance by p input samples, so q kernels are enough. Row j of a matrix holds
the inputs from j p on; its product with the q kernels, as columns, is the output samples j q to j q + q - 1.
"""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.interpolation import PHASES, TAPS, kernel_table

LARGEST_DENOMINATOR = 64
"""Larger ones would mostly multiply by zeros."""
SMALLEST_STEP = 32
"""Fewer output samples in a row would make the products thin."""


def as_rational(speed: float, samples: int) -> Fraction | None:
    """The fraction of a small denominator that this speed is, None if there is none. Over `samples` samples, the
    positions differ by less than a millionth of a sample."""
    fraction = _simplest(round(speed, 9))
    return fraction if fraction > 0 and abs(float(fraction) - speed) * samples < 1e-6 else None


@lru_cache(maxsize=4096)
def _simplest(speed: float) -> Fraction:
    return Fraction(speed).limit_denominator(LARGEST_DENOMINATOR)


def read_rows(padded_N: Tensor, position: float, speed: Fraction, out_N: Tensor) -> int:
    """Writes the values at `position`, `position + speed`, ... into `out_N`, as far as whole rows go, and returns how
    many it wrote. `padded_N`: a wave as `interpolation.padded` returns it; no position is outside it."""
    rows_of = -(-SMALLEST_STEP // speed.denominator)
    step, advance = speed.denominator * rows_of, speed.numerator * rows_of
    rows = len(out_N) // step
    if rows == 0:
        return 0
    first = int(position)
    kernels = _kernels(position - first, step, advance).to(padded_N.dtype)
    out_RQ = out_N[: rows * step].view(rows, step)
    # Rows of `advance` samples do not overlap, so they are a view; the rest of the kernels reaches into the next row.
    start = padded_N.storage_offset() + first
    torch.mm(padded_N.as_strided((rows, advance), (advance, 1), start), kernels[:advance], out=out_RQ)
    out_RQ.addmm_(padded_N.as_strided((rows, TAPS), (advance, 1), start + advance), kernels[advance:])
    return rows * step


def _kernels(fraction: float, step: int, advance: int) -> Tensor:
    """Interpolation kernels (advance + TAPS, step) of one row, whose first position is `fraction`, in [0, 1)."""
    offsets_Q, places_QK = _row(step, advance)
    at_Q = fraction + offsets_Q
    whole_Q = at_Q.astype(np.int64)
    phases_Q = ((at_Q - whole_Q) * PHASES + 0.5).astype(np.int64)
    kernels = np.zeros((step, advance + TAPS), np.float32)
    kernels.reshape(-1)[places_QK + whole_Q[:, None]] = kernel_table(torch.device("cpu")).numpy()[phases_Q]
    return torch.from_numpy(kernels).T


@lru_cache(maxsize=1024)
def _row(step: int, advance: int) -> tuple[np.ndarray, np.ndarray]:
    """The positions (step) of a row that begins at 0, and where the taps (step, TAPS) of position 0 are stored."""
    rows_Q = np.arange(step)
    return rows_Q * (advance / step), (rows_Q * (advance + TAPS))[:, None] + np.arange(TAPS)
