"""Short-time spectra of what works on them, mixings and others: each clip at the size it drew.

Enters: waveforms (B, S), for mixings those of the partners too, and what is to be done with their spectra; leaves:
waveforms.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

LONGEST_SHORT_S = 0.0235
"""The shortest window is the greatest power of two within this: 512 samples at 22 050 Hz, 256 at 16 000 Hz."""
SIZES = 3
Blend = Callable[..., Tensor]
"""Is called with the spectra (B, N, T) of each of the waves, and with their rows in the batch; gives new spectra."""


def sizes(sample_rate: int) -> list[tuple[int, int]]:
    """Window and hop in samples, of which each clip draws one (EAT, arXiv 2204.11479: at 22 050 Hz 512 and 128, 1024
    and 256, 2048 and 1024)."""
    short = 1 << max(4, int(LONGEST_SHORT_S * sample_rate).bit_length() - 1)
    return [(short, short // 4), (2 * short, short // 2), (4 * short, 2 * short)]


def through_spectra(waves: Sequence[Tensor], chosen: Sequence[tuple[int, int]], blend: Blend, *, hann: bool) -> Tensor:
    """The waves (B, S) of blended spectra. `waves`: one or more batches (B, S); `chosen`: window and hop of each clip;
    `hann`: a window that fades in and out, else none."""
    samples = waves[0].shape[1]
    mixed_BS = torch.empty_like(waves[0])
    for n_fft, hop in sorted(set(chosen)):
        rows = [row for row, size in enumerate(chosen) if size == (n_fft, hop)]
        index = torch.tensor(rows, device=mixed_BS.device)
        window = (torch.hann_window if hann else torch.ones)(n_fft, device=mixed_BS.device)
        # A frame of silence at the end: without it the last samples would stand at the edge of the last frame alone,
        # where a window lets nearly nothing through, and what was blended there would be blown up on the way back.
        spectra = (
            torch.stft(
                pad(wave.index_select(0, index), (0, n_fft)),
                n_fft,
                hop,
                window=window,
                pad_mode="constant",
                return_complex=True,
            )
            for wave in waves
        )
        mixed_BS[index] = torch.istft(blend(*spectra, rows), n_fft, hop, window=window, length=samples)
    return mixed_BS
