"""Band-limited interpolation of waveforms at fractional positions, for changes of speed."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

TAPS = 16
PHASES = 2048
KAISER_BETA = 7.0
FRACTION_BITS = 36
"""Positions are integers in units of 2^-36 samples: exact, and equal on all devices."""
MAPPED_AT_ONCE = {"cpu": 2**18}
"""Output samples whose positions are computed together, per device type; 2^23 by default."""
READ_AT_ONCE = {"cpu": 2**14}
"""Output samples interpolated together, so that inputs and weights fit into the cache; 2^23 by default."""


def clips_at_once(device: torch.device, samples: int) -> int:
    """Number of clips of this length whose positions are computed together."""
    return max(1, MAPPED_AT_ONCE.get(device.type, 2**23) // samples)


def padded(wave_BS: Tensor) -> Tensor:
    """Waves with silence around them, so that the taps of a position n start at sample n."""
    return pad(wave_BS, (TAPS // 2 - 1, TAPS))


def unpadded(padded_BN: Tensor) -> Tensor:
    """A view of the waves that `padded` was given."""
    return padded_BN[:, TAPS // 2 - 1 : -TAPS]


def interpolate(wave_BS: Tensor, positions_BN: Tensor) -> Tensor:
    """Values (B, N) of waves (B, S) at fractional positions (B, N), by a Kaiser-windowed sinc of TAPS samples.

    The error is below -60 dB up to 0.35 of the sample rate. At speeds above 1, components above 0.4 of it alias, but
    not below 0.375 for speeds up to 1.25.
    """
    batch, samples = wave_BS.shape
    padded_BN = padded(wave_BS)
    row_starts = torch.arange(batch, device=wave_BS.device)[:, None] * padded_BN.shape[1]
    places_BN = (positions_BN >> FRACTION_BITS).clamp_(0, samples - 1) + row_starts
    drop = FRACTION_BITS - (PHASES.bit_length() - 1)
    phases_BN = (positions_BN & (2**FRACTION_BITS - 1)) + 2 ** (drop - 1) >> drop
    return read(padded_BN, places_BN.reshape(-1), phases_BN.reshape(-1)).view_as(positions_BN)


def read(padded_BN: Tensor, places: Tensor, phases: Tensor) -> Tensor:
    """Values of padded waves, laid end to end, `phases` / PHASES samples after `places`."""
    inputs = padded_BN.reshape(-1).unfold(0, TAPS, 1)
    kernels = kernel_table(padded_BN.device)
    chunk = READ_AT_ONCE.get(padded_BN.device.type, 2**23)
    parts = [
        inputs.index_select(0, some).mul_(kernels.index_select(0, rows)).sum(1)
        for some, rows in zip(places.split(chunk), phases.split(chunk), strict=True)
    ]
    return torch.cat(parts)


@lru_cache(maxsize=8)
def kernel_table(device: torch.device) -> Tensor:
    """Interpolation kernels (PHASES + 1, TAPS): row i is for a position i / PHASES samples after the centre."""
    offset = np.arange(TAPS) - (TAPS // 2 - 1) - np.arange(PHASES + 1)[:, None] / PHASES
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (offset / (TAPS / 2)) ** 2, 0, None)))
    kernel = np.sinc(offset) * window
    return torch.from_numpy((kernel / kernel.sum(1, keepdims=True)).astype(np.float32)).to(device)
