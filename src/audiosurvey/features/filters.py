"""Mel filter banks: which share of each DFT bin goes into each mel band.

A filter rises linearly from the centre of the band below to its own centre and falls to the centre of the band above.
The centres are evenly spaced on a mel scale: HTK's formula, or Slaney's (linear below 1 kHz, logarithmic above), with
triangles that are straight in Hz; or Kaldi's, which is HTK's formula with triangles that are straight in mel.
"""

from typing import Literal

import torch

MelScale = Literal["htk", "slaney", "kaldi"]

# Slaney's scale: 200/3 Hz a mel up to 1 kHz (mel 15), from there 27 mels for a factor of 6.4.
_SLANEY_HZ_PER_MEL = 200.0 / 3
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_BREAK_MEL = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_MELS_PER_LOG = 27.0 / torch.tensor(6.4, dtype=torch.float64).log()


def hz_to_mel(hz: torch.Tensor, scale: MelScale) -> torch.Tensor:
    """Mel of a frequency in Hz (float64).

    Source: HTK book, 2595 log10(1 + f/700); Kaldi writes the same as 1127 ln(1 + f/700); Slaney's Auditory Toolbox
    (Apple TR 45, 1998).
    """
    if scale == "htk":
        return 2595 * torch.log10(1 + hz / 700)
    if scale == "kaldi":
        return 1127 * torch.log(1 + hz / 700)
    above = _SLANEY_BREAK_MEL + (hz.clamp(min=_SLANEY_BREAK_HZ) / _SLANEY_BREAK_HZ).log() * _SLANEY_MELS_PER_LOG
    return torch.where(hz < _SLANEY_BREAK_HZ, hz / _SLANEY_HZ_PER_MEL, above)


def mel_to_hz(mel: torch.Tensor, scale: MelScale) -> torch.Tensor:
    """The inverse of `hz_to_mel`."""
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    if scale == "kaldi":
        return 700 * ((mel / 1127).exp() - 1)
    above = _SLANEY_BREAK_HZ * ((mel - _SLANEY_BREAK_MEL) / _SLANEY_MELS_PER_LOG).exp()
    return torch.where(mel < _SLANEY_BREAK_MEL, mel * _SLANEY_HZ_PER_MEL, above)


def mel_filters(
    limits_hz: torch.Tensor, *, n_fft: int, sample_rate: int, n_mels: int, norm: str | None, mel_scale: MelScale
) -> torch.Tensor:
    """A filter bank for each pair of limits: (B, 2) in Hz, lowest and highest edge, gives (B, n_fft // 2 + 1, n_mels).

    float32, computed in the type and on the device of `limits_hz`. `norm="slaney"` gives each triangle unit area over
    Hz (times 2 / its width); None leaves its peak at 1. A filter narrower than the distance of two bins may be empty:
    see `empty_filters`.
    """
    kind: dict = {"dtype": limits_hz.dtype, "device": limits_hz.device}
    # Bins up to sample_rate // 2 also where n_fft is odd, as torchaudio's MelSpectrogram has them.
    bins = torch.linspace(0, sample_rate // 2, n_fft // 2 + 1, **kind)[None, :, None]
    limits = hz_to_mel(limits_hz, mel_scale)
    steps = torch.arange(n_mels + 2, **kind) / (n_mels + 1)
    edges = limits[:, :1] + (limits[:, 1:] - limits[:, :1]) * steps
    if mel_scale == "kaldi":
        bins = hz_to_mel(bins, mel_scale)
    else:
        edges = mel_to_hz(edges, mel_scale)
    lower, centre, upper = (part[:, None, :] for part in (edges[:, :-2], edges[:, 1:-1], edges[:, 2:]))
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    bank = torch.minimum(rising, falling).clamp(min=0)
    if mel_scale == "kaldi" and n_fft % 2 == 0:
        # Kaldi knows no bin at half the sample rate.
        bank[:, -1] = 0
    if norm == "slaney":
        bank = bank * (2 / (upper - lower))
    return bank.float()


def empty_filters(bank: torch.Tensor) -> list[int]:
    """Bands that no DFT bin falls into: they are silent whatever the sound."""
    return torch.nonzero(bank.amax(dim=0) == 0).flatten().tolist()
