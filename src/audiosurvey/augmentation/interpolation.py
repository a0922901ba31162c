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


def interpolate(wave_BS: Tensor, positions_BS: Tensor) -> Tensor:
    """Values (B, S) of waves (B, S) at fractional positions (B, S), by a Kaiser-windowed sinc of TAPS samples.

    The error is below -60 dB up to 0.35 of the sample rate. At speeds above 1, components above 0.4 of it alias, but
    not below 0.375 for speeds up to 1.25.
    """
    batch, samples = wave_BS.shape
    padded = pad(wave_BS, (TAPS // 2 - 1, TAPS)).reshape(-1)
    inputs = padded.unfold(0, TAPS, 1)
    kernels = kernel_table(wave_BS.device)
    row_starts = torch.arange(batch, device=wave_BS.device)[:, None] * (len(padded) // batch)
    places_BS = (positions_BS >> FRACTION_BITS).clamp_(0, samples - 1) + row_starts
    drop = FRACTION_BITS - (PHASES.bit_length() - 1)
    phases_BS = (positions_BS & (2**FRACTION_BITS - 1)) + 2 ** (drop - 1) >> drop
    chunk = READ_AT_ONCE.get(wave_BS.device.type, 2**23)
    parts = [
        inputs.index_select(0, places).mul_(kernels.index_select(0, phases)).sum(1)
        for places, phases in zip(places_BS.reshape(-1).split(chunk), phases_BS.reshape(-1).split(chunk), strict=True)
    ]
    return torch.cat(parts).view(batch, samples)


@lru_cache(maxsize=8)
def kernel_table(device: torch.device) -> Tensor:
    """Interpolation kernels (PHASES + 1, TAPS): row i is for a position i / PHASES samples after the centre."""
    offset = np.arange(TAPS) - (TAPS // 2 - 1) - np.arange(PHASES + 1)[:, None] / PHASES
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (offset / (TAPS / 2)) ** 2, 0, None)))
    kernel = np.sinc(offset) * window
    return torch.from_numpy((kernel / kernel.sum(1, keepdims=True)).astype(np.float32)).to(device)
