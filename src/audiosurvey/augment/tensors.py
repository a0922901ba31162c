"""Tensor helpers of the operations."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def mean_power(wave_BS: Tensor, valid_B: Tensor) -> Tensor:
    """Mean square of each clip (B) over its samples before padding, which is silence; 0 for a silent clip."""
    return wave_BS.square().sum(1) / valid_B.to(wave_BS.device, non_blocking=True).clamp(min=1)


def on_device(values: Any, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers as a tensor on the device. Unlike `torch.tensor(values, device=...)` it does not wait for a GPU."""
    return torch.as_tensor(values, dtype=dtype).to(device, non_blocking=True)


def at_rows(batch_B: Tensor, rows: list[int], change: Callable[[Tensor], Tensor]) -> Tensor:
    """The batch with these of its clips changed, in rising order."""
    if not rows:
        return batch_B
    if len(rows) == len(batch_B):
        return change(batch_B)
    index = on_device(rows, batch_B.device)
    return batch_B.index_copy(0, index, change(batch_B.index_select(0, index)))


def windows(padded_BN: Tensor, starts: Sequence[int], samples: int) -> Tensor:
    """A window (B, samples) of each row, from its own start: one strided view, which is faster than a gather."""
    flat = padded_BN.reshape(-1).unfold(0, samples, 1)
    places = [row * padded_BN.shape[1] + start for row, start in enumerate(starts)]
    return flat.index_select(0, on_device(places, padded_BN.device))


def fast_length(at_least: int) -> int:
    """A length of at least `at_least` at which a Fourier transform of real numbers is fast: a multiple of 16.

    Odd lengths are slow, even 3^11, which has small factors alone."""
    from scipy.fft import next_fast_len  # loaded on first use: it takes a quarter of a second

    return 16 * int(next_fast_len(-(-at_least // 16), real=True))  # pyright: ignore[reportArgumentType]
