"""The feature extractors of `transformers` for a batch of waves at once, on their device.

Equal to `ASTFeatureExtractor`, `WhisperFeatureExtractor`, `ClapFeatureExtractor`, `Wav2Vec2FeatureExtractor` and
`PeAudioFeatureExtractor` applied to each clip, up to rounding. Spectra are matrix products, which every runtime has, in
double precision where the device has it, as those classes compute them.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.features.filters import mel_filters
from audiosurvey.model.encoders.kinds import kind_of, limits

_KALDI = {"frame": 400, "hop": 160, "n_fft": 512, "f_min": 20}
_FLOOR = 1e-10
_KALDI_FLOOR = 1.192092955078125e-07
_WHISPER_RANGE = 8.0


class MelPower(nn.Module):
    """Waves (B, S) to mel power (B, T, F)."""

    window: torch.Tensor
    cosine: torch.Tensor
    sine: torch.Tensor
    bank: torch.Tensor

    def __init__(self, window: torch.Tensor, hop: int, n_fft: int, bank: torch.Tensor, *, kaldi: bool = False) -> None:
        """`kaldi`: frames are not centred; each loses its mean and is emphasised before the window."""
        super().__init__()
        self.hop, self.frame, self.kaldi = hop, len(window), kaldi
        sample, bin_ = torch.arange(len(window)), torch.arange(n_fft // 2 + 1)
        angle = (2 * math.pi / n_fft) * (sample[:, None] * bin_ % n_fft).double()
        for name, value in (("window", window), ("cosine", angle.cos()), ("sine", angle.sin()), ("bank", bank)):
            self.register_buffer(name, value.double(), persistent=False)

    def forward(self, wave_BS: torch.Tensor) -> torch.Tensor:
        kind = torch.float32 if wave_BS.device.type == "mps" else torch.float64
        wave_BS = wave_BS.to(kind)
        if not self.kaldi:
            half = self.frame // 2
            wave_BS = F.pad(wave_BS.unsqueeze(1), (half, half), mode="reflect").squeeze(1)
        frames_BTN = wave_BS.unfold(1, self.frame, self.hop)
        if self.kaldi:
            frames_BTN = frames_BTN - frames_BTN.mean(dim=2, keepdim=True)
            before_BTN = torch.cat([frames_BTN[..., :1], frames_BTN[..., :-1]], dim=2)
            frames_BTN = frames_BTN - 0.97 * before_BTN
        frames_BTN = frames_BTN * self.window.to(kind)
        power = (frames_BTN @ self.cosine.to(kind)).square() + (frames_BTN @ self.sine.to(kind)).square()
        return power @ self.bank.to(kind)


class KaldiFeatures(nn.Module):
    """As ASTFeatureExtractor: waves (B, S) to (B, T, F), padded with zeros to the length of the encoder."""

    def __init__(self, extractor: Mapping[str, Any]) -> None:
        super().__init__()
        rate, bands = extractor["sampling_rate"], extractor["num_mel_bins"]
        window = torch.hann_window(_KALDI["frame"], periodic=False, dtype=torch.float64)
        bank = _bank((_KALDI["f_min"], rate // 2), _KALDI["n_fft"], rate, bands, None, "kaldi")
        self.mel = MelPower(window, _KALDI["hop"], _KALDI["n_fft"], bank, kaldi=True)
        self.frames = extractor["max_length"]
        scaled = extractor["do_normalize"]
        self.mean, self.spread = (extractor["mean"], 2 * extractor["std"]) if scaled else (0.0, 1.0)

    def forward(self, wave_BS: torch.Tensor) -> dict[str, torch.Tensor]:
        log_BTF = self.mel(wave_BS).clamp(min=_KALDI_FLOOR).log().float()
        log_BTF = F.pad(log_BTF, (0, 0, 0, self.frames - log_BTF.shape[1]))
        return {"input_values": (log_BTF - self.mean) / self.spread}


class WhisperFeatures(nn.Module):
    """As WhisperFeatureExtractor: waves (B, S), padded with zeros to the length of the encoder, to (B, F, T)."""

    def __init__(self, extractor: Mapping[str, Any], samples: int) -> None:
        super().__init__()
        n_fft, rate = extractor["n_fft"], extractor["sampling_rate"]
        bank = _bank((0.0, 8000.0), n_fft, rate, extractor["feature_size"], "slaney", "slaney")
        self.mel = MelPower(torch.hann_window(n_fft, dtype=torch.float64), extractor["hop_length"], n_fft, bank)
        self.samples = samples

    def forward(self, wave_BS: torch.Tensor) -> dict[str, torch.Tensor]:
        wave_BS = F.pad(wave_BS, (0, self.samples - wave_BS.shape[1]))
        log_BTF = self.mel(wave_BS)[:, :-1].clamp(min=_FLOOR).log10().float()
        log_BTF = torch.maximum(log_BTF, log_BTF.amax(dim=(1, 2), keepdim=True) - _WHISPER_RANGE)
        return {"input_features": ((log_BTF + 4) / 4).transpose(1, 2)}


class ClapFeatures(nn.Module):
    """As ClapFeatureExtractor for clips that are not longer than the encoder's input: waves (B, S), repeated and padded
    to that length, to (B, 1, T, F). Encoders with fusion get four equal channels there, and use the first."""

    def __init__(self, extractor: Mapping[str, Any]) -> None:
        super().__init__()
        n_fft, rate = extractor["fft_window_size"], extractor["sampling_rate"]
        edges = (extractor["frequency_min"], extractor["frequency_max"])
        scale = (None, "htk") if extractor["truncation"] == "fusion" else ("slaney", "slaney")
        bank = _bank(edges, n_fft, rate, extractor["feature_size"], *scale)
        self.mel = MelPower(torch.hann_window(n_fft, dtype=torch.float64), extractor["hop_length"], n_fft, bank)
        self.samples = extractor["max_length_s"] * rate
        self.padding = extractor["padding"]

    def forward(self, wave_BS: torch.Tensor) -> dict[str, torch.Tensor]:
        times = self.samples // wave_BS.shape[1]
        if self.padding == "repeat":
            wave_BS = wave_BS.repeat(1, times + 1)[:, : self.samples]
        elif self.padding == "repeatpad":
            wave_BS = wave_BS.repeat(1, times)
        wave_BS = F.pad(wave_BS, (0, self.samples - wave_BS.shape[1]))
        mel_BTF = 10 * self.mel(wave_BS).clamp(min=_FLOOR).log10().float()
        return {"input_features": mel_BTF.unsqueeze(1)}


class WaveFeatures(nn.Module):
    """As Wav2Vec2FeatureExtractor: waves (B, S), each normalised where the encoder was trained so."""

    def __init__(self, extractor: Mapping[str, Any]) -> None:
        super().__init__()
        self.normalise = bool(extractor["do_normalize"])

    def forward(self, wave_BS: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.normalise:
            centred_BS = wave_BS - wave_BS.mean(dim=1, keepdim=True)
            wave_BS = centred_BS / (centred_BS.square().mean(dim=1, keepdim=True) + 1e-7).sqrt()
        return {"input_values": wave_BS}


class CodecFeatures(nn.Module):
    """As PeAudioFeatureExtractor: waves (B, S), mirrored at the end to whole steps of the codec, to (B, 1, S)."""

    def __init__(self, extractor: Mapping[str, Any]) -> None:
        super().__init__()
        self.hop = extractor["hop_length"]

    def forward(self, wave_BS: torch.Tensor) -> dict[str, torch.Tensor]:
        wave_B1S = wave_BS.unsqueeze(1)
        return {"input_values": F.pad(wave_B1S, (0, -wave_BS.shape[1] % self.hop), mode="reflect")}


def make_features(architecture: Mapping[str, Any], extractor: Mapping[str, Any]) -> nn.Module:
    input_type = kind_of(architecture).input_type
    if input_type == "kaldi":
        return KaldiFeatures(extractor)
    if input_type == "whisper":
        most = limits(architecture, extractor)[1]
        assert most is not None
        return WhisperFeatures(extractor, most)
    if input_type == "codec":
        return CodecFeatures(extractor)
    return ClapFeatures(extractor) if input_type == "clap" else WaveFeatures(extractor)


def _bank(edges_hz: tuple[float, float], n_fft: int, rate: int, bands: int, norm: Any, scale: Any) -> torch.Tensor:
    limits_hz = torch.tensor(np.asarray([edges_hz]), dtype=torch.float64, device="cpu")
    return mel_filters(limits_hz, n_fft=n_fft, sample_rate=rate, n_mels=bands, norm=norm, mel_scale=scale)[0]
