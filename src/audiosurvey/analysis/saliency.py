"""Saliency: which part of a sound made a network choose a class, as a picture and as a sound.

The relevance of a cell of the spectrogram is gradient x input of the logit (Shrikumar et al. 2016, arXiv 1605.01713).
It is turned into a mask between 0 and 1, and the mask is applied to the short-time Fourier transform of the sound.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.signal import ShortTimeFFT

from audiosurvey.artefact.folder import Model
from audiosurvey.config.root import Config
from audiosurvey.features.front_end import mel_for_show
from audiosurvey.features.mel import MelFrontEnd
from audiosurvey.model.blocks.inputs import laid_out

KEPT = 0.5
"""Share of the positive relevance that lies in cells which the mask leaves unchanged."""
_SMOOTH_S, _SMOOTH_BANDS = 0.03, 1.0
"""Standard deviation of the smoothing of the relevance along time and bands."""
_WINDOW_S = 0.064


@dataclass(frozen=True)
class Saliency:
    """What the decision for one class depended on, in one window of a sound."""

    mel_TF: np.ndarray
    """The network's input or, for a network with waves among its inputs, a common spectrogram."""
    relevance_TF: np.ndarray
    """Positive where a cell speaks for the class, in units of its logit."""
    mask_TF: np.ndarray
    """From 0 (not relevant) to 1."""
    front_end: MelFrontEnd
    """Computes `mel_TF`; it relates frames to times and bands to frequencies."""


def saliency(model: Model, window_S: np.ndarray, label: int) -> Saliency:
    """The saliency of a class, given by its index, for one window (S) at the model's sample rate."""
    wave_BS = torch.from_numpy(window_S).float()[None]
    front_end = shown_spectrogram(model.config)
    of_input = _of_spectrogram if model.config.model.hears == ("mel",) else _of_wave
    mel_TF, relevance_TF = of_input(model, front_end, wave_BS, label)
    smooth = (_SMOOTH_S * front_end.sample_rate / front_end.hop, _SMOOTH_BANDS)
    return Saliency(mel_TF, relevance_TF, relevance_mask(relevance_TF, smooth), front_end)


def shown_spectrogram(config: Config) -> MelFrontEnd:
    """The spectrogram that saliency is shown on: the network's input or, if it is given waves too, a common one."""
    only_mel = config.model.hears == ("mel",)
    return mel_for_show(config.mel_spectrogram if only_mel else None, config.sample_rate)


def _of_spectrogram(
    model: Model, front_end: MelFrontEnd, wave_BS: torch.Tensor, label: int
) -> tuple[np.ndarray, np.ndarray]:
    """Spectrogram and relevance (T, F): the gradient times the distance of each cell from digital silence."""
    with torch.no_grad():
        mel_BCTF = front_end(wave_BS)
    mel_BCTF.requires_grad_(True)
    # A copy, because a first block that works in place must not change a leaf of the graph.
    logit = model.network(laid_out(mel_BCTF.clone()))[0, label]
    (gradient_BCTF,) = torch.autograd.grad(logit, mel_BCTF)
    relevance_BCTF = gradient_BCTF * (mel_BCTF.detach() - front_end.silence)
    return mel_BCTF.detach()[0, 0].numpy(), relevance_BCTF[0, 0].numpy()


def _of_wave(model: Model, front_end: MelFrontEnd, wave_BS: torch.Tensor, label: int) -> tuple[np.ndarray, np.ndarray]:
    """Spectrogram and relevance (T, F) for a network with waves among its inputs.

    The wave is the inverse of its short-time Fourier transform X, so that the logit is a function of X. With G the
    gradient in PyTorch's convention, d logit = Re(conj(G) dX): the relevance of a bin is Re(conj(G) X), which is then
    summed over the bins of each band.
    """
    n_fft, hop, window_N = front_end.n_fft, front_end.hop, torch.hann_window(front_end.n_fft)
    framing = {"n_fft": n_fft, "hop_length": hop, "window": window_N}
    x_BbT = torch.stft(wave_BS, return_complex=True, pad_mode="constant", **framing).requires_grad_(True)
    rebuilt_BS = torch.istft(x_BbT, length=wave_BS.shape[1], **framing)
    logit = model.network(laid_out(model.front_end(rebuilt_BS)))[0, label]
    (gradient_BbT,) = torch.autograd.grad(logit, x_BbT)
    relevance_bT = (gradient_BbT.conj() * x_BbT.detach()).real[0]
    with torch.no_grad():
        mel_TF = front_end(wave_BS)[0, 0].numpy()
    relevance_TF = relevance_bT.T.numpy() @ _shares(front_end)
    return mel_TF, relevance_TF[: len(mel_TF)]


def relevance_mask(relevance_TF: np.ndarray, smooth: tuple[float, float]) -> np.ndarray:
    """A mask (T, F) between 0 and 1 of the positive relevance, smoothed by a Gaussian.

    The most relevant cells, which together hold the share `KEPT` of it, are 1; in the others the mask is proportional
    to the relevance. All 0 if no cell is relevant.
    """
    positive_TF = gaussian_filter(np.maximum(relevance_TF, 0).astype(np.float64), smooth)
    total = positive_TF.sum()
    if not total > 0:
        return np.zeros_like(relevance_TF, dtype=np.float32)
    falling = np.sort(positive_TF, axis=None)[::-1]
    place = int(np.searchsorted(np.cumsum(falling), KEPT * total))
    return np.minimum(positive_TF / falling[min(place, len(falling) - 1)], 1).astype(np.float32)


def masked_sound(window_S: np.ndarray, mask_TF: np.ndarray, front_end: MelFrontEnd) -> np.ndarray:
    """The sound (S) with every cell of its short-time Fourier transform multiplied by the mask.

    Frequencies that no band covers are muted. A mask of ones leaves all others as they are.
    """
    rate = front_end.sample_rate
    size = 2 * round(_WINDOW_S * rate / 2)
    stft = ShortTimeFFT(np.hanning(size + 1)[:-1], hop=size // 4, fs=rate)
    x_bT = stft.stft(window_S.astype(np.float64))
    times_s = stft.t(len(window_S))
    mask_bT = _on_bins(_at_times(mask_TF, times_s, front_end), stft.f, front_end).T
    return stft.istft(x_bT * mask_bT, k1=len(window_S)).astype(np.float32)


def _at_times(mask_TF: np.ndarray, times_s: np.ndarray, front_end: MelFrontEnd) -> np.ndarray:
    """The mask at other times, by linear interpolation."""
    first_s = 0.0 if front_end.config.center else front_end.n_fft / 2 / front_end.sample_rate
    frames_s = first_s + (np.arange(len(mask_TF)) * front_end.hop - front_end.config.pad) / front_end.sample_rate
    return np.stack([np.interp(times_s, frames_s, band_T) for band_T in mask_TF.T], axis=1)


def _on_bins(mask_TF: np.ndarray, bins_hz: np.ndarray, front_end: MelFrontEnd) -> np.ndarray:
    """The mask (T, bins): each bin has the mean of the bands that it belongs to; 0 for a bin of no band."""
    own_hz = np.linspace(0, front_end.sample_rate / 2, front_end.bank.shape[0])
    mask_Tb = mask_TF @ _shares(front_end).T
    return np.stack([np.interp(bins_hz, own_hz, mask_b) for mask_b in mask_Tb])


def _shares(front_end: MelFrontEnd) -> np.ndarray:
    """How each bin of the front end is divided among the bands (bins, F): rows add up to 1, or 0 for a bin of none."""
    bank_bF = front_end.bank.numpy()
    total_b1 = bank_bF.sum(axis=1, keepdims=True)
    return np.divide(bank_bF, total_b1, out=np.zeros_like(bank_bF), where=total_b1 > 0)
