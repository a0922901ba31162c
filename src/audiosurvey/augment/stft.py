"""Operations on short-time spectra, each clip with its own window size: from waveforms (B, S) to waveforms."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from audiosurvey.augment.tensors import on_device

LONGEST_SHORT_S = 0.0235
"""The shortest window is the greatest power of two within this: 512 samples at 22 050 Hz, 256 at 16 000 Hz."""
SIZES = 3
Blend = Callable[..., Tensor]
"""Called with the spectra (B, N, T) of each of the waves, and their rows in the batch; returns new spectra."""


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
    for (n_fft, hop), rows in _together(chosen, mixed_BS.device):
        index = on_device(rows, mixed_BS.device)
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
        mixed_BS.index_copy_(0, index, _inverse(blend(*spectra, rows), n_fft, hop, window, samples))
    return mixed_BS


def _together(chosen: Sequence[tuple[int, int]], device: torch.device) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """The sizes, with the clips that are transformed together: on a CPU one, whose spectra fit into the cache."""
    if device.type == "cpu":
        yield from ((size, [row]) for row, size in enumerate(chosen))
        return
    for size in sorted(set(chosen)):
        yield size, [row for row, other in enumerate(chosen) if other == size]


def _inverse(spectra: Tensor, n_fft: int, hop: int, window: Tensor, samples: int) -> Tensor:
    """`torch.istft` of centred frames, without its check of the window, which waits for a GPU."""
    frames_BTN = torch.fft.irfft(spectra.transpose(1, 2), n_fft) * window
    envelope_BTN = window.square().expand(1, frames_BTN.shape[1], n_fft)
    wave_BS, envelope_BS = (
        overlap_add(part_BTN, hop)[:, n_fft // 2 : n_fft // 2 + samples] for part_BTN in (frames_BTN, envelope_BTN)
    )
    return wave_BS / envelope_BS


def overlap_add(frames_BTN: Tensor, hop: int) -> Tensor:
    """The sum of frames (B, T, N) that begin every `hop` samples; N is a multiple of `hop`.

    All first parts of `hop` samples follow one another in the sum, and so do all second parts one hop later: a few
    additions of whole blocks, faster than `fold`.
    """
    batch, frames, n_fft = frames_BTN.shape
    parts = n_fft // hop
    summed = frames_BTN.new_zeros(batch, frames + parts - 1, hop)
    for part in range(parts):
        summed[:, part : part + frames] += frames_BTN[:, :, part * hop : (part + 1) * hop]
    return summed.flatten(1)


def from_polar(magnitude: Tensor, angle: Tensor) -> Tensor:
    """`torch.polar`, which on CPUs is much slower than a sine and a cosine."""
    return torch.complex(magnitude * torch.cos(angle), magnitude * torch.sin(angle))
