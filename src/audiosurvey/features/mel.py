"""The mel front end: waveforms (B, S) in, log-mel spectrograms (B, 1, T, F) out, on the device of the waves.

Three stages: power spectrum, mel bands, compression. The first two equal `torchaudio.transforms.MelSpectrogram` with
the same arguments. Frames are a strided view and are transformed a few clips at a time, so that they stay in the
processor's cache. On CPUs, groups of bands are each multiplied with their own range of bins only.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from audiosurvey.features.filters import MelScale, empty_filters, mel_filters
from audiosurvey.section import Section

# Each window with the arguments that it takes besides `periodic`, and their defaults.
WINDOWS: dict[str, tuple[Callable[..., torch.Tensor], dict[str, float]]] = {
    "hann": (torch.hann_window, {}),
    "hamming": (torch.hamming_window, {"alpha": 0.54, "beta": 0.46}),
    "blackman": (torch.blackman_window, {}),
    "bartlett": (torch.bartlett_window, {}),
    "kaiser": (torch.kaiser_window, {"beta": 12.0}),
}

FEWEST_SPLIT = 32
"""Filter banks of fewer bands are multiplied as a whole."""

# What each length is, the seconds it stays below, and a usual one: milliseconds and samples are mistaken for seconds.
_LENGTHS_S = {"win_length": ("a window", 2.0, 0.03), "hop_length": ("a step", 1.0, 0.01)}


class MelConfig(Section):
    """The mel spectrogram. Lengths are in seconds; other arguments have the names of torchaudio's MelSpectrogram."""

    win_length: float = Field(default=0.032, gt=0, json_schema_extra={"exclusiveMaximum": 2})
    """Window length in seconds."""
    hop_length: float = Field(default=0.010, gt=0, json_schema_extra={"exclusiveMaximum": 1})
    """Hop length in seconds."""
    n_mels: int = Field(default=64, ge=1)
    """Number of mel bands."""
    f_min: float = Field(default=0.0, ge=0)
    """Lower edge of the lowest band in Hz."""
    f_max: float | None = Field(default=None, gt=0)
    """Upper edge of the highest band in Hz. null: half the sample rate."""
    n_fft: int | None = Field(default=None, ge=1)
    """FFT size in samples. null: the window length. Powers of two are several times faster than sizes with large prime
    factors."""
    power: float = Field(default=2.0, gt=0)
    """Exponent of the magnitude: 1 for magnitude, 2 for power."""
    normalized: bool | Literal["window", "frame_length"] = False
    """Normalise the spectrum by the L2 norm of the window (true, `window`) or by the square root of n_fft
    (`frame_length`)."""
    center: bool = True
    """Centre frames on their time, by padding the signal by n_fft / 2 on both sides."""
    pad_mode: Literal["reflect", "constant", "replicate", "circular"] = "reflect"
    """Padding mode with `center`."""
    pad: int = Field(default=0, ge=0)
    """Zero padding in samples, on both sides of the signal."""
    window_fn: Literal["hann", "hamming", "blackman", "bartlett", "kaiser"] = "hann"
    """Window function."""
    wkwargs: dict[str, float | bool] | None = None
    """Arguments of the window function, such as `periodic: false` or `beta: 12` (kaiser)."""
    onesided: bool = True
    """Only for compatibility with torchaudio; must be true."""
    norm: Literal["slaney"] | None = None
    """`slaney`: mel filters of unit area. null: filters with a peak of 1."""
    mel_scale: MelScale = "htk"
    """Mel scale. `kaldi` is the HTK scale with filters that are triangular in mel instead of Hz."""
    preemphasis: float = Field(default=0.0, ge=0, le=1)
    """Pre-emphasis coefficient: x[n+1] - preemphasis x[n]. 0 for none, 0.97 is common. Shortens the signal by one
    sample, so that 5 s give 500 frames of 10 ms instead of 501."""
    compression: Literal["log10p1", "db", "ln"] = "log10p1"
    """`log10p1`: log10(1 + x), as in the original system; `db`: decibels with a floor, 20 log10 of the magnitude for
    any `power`; `ln`: ln(x + log_offset)."""
    floor_db: float = Field(default=-100.0, lt=0)
    """Floor of `compression: db` in dB relative to 1."""
    top_db: float | None = Field(default=None, gt=0)
    """Dynamic range in dB with `compression: db`: lower values are raised to this much below the clip's maximum. null:
    no limit but `floor_db`."""
    log_offset: float = Field(default=1e-5, gt=0)
    """Offset added before the logarithm by `compression: ln`; determines the value of silence."""
    shift: float = 0.0
    """Added to the compressed values."""
    divide: float = Field(default=1.0, gt=0)
    """Divisor of the shifted values, to bring them to about unit scale."""
    standardize: Literal["none", "batch_norm", "batch_norm_channel", "statistics"] = "none"
    """Standardisation of the network's input: `batch_norm` per mel band (learned), `batch_norm_channel` over all bands
    together, or `statistics`, the fixed mean and standard deviation of each band over the training clips."""

    @field_validator("wkwargs")
    @classmethod
    def _known_arguments(
        cls, value: dict[str, float | bool] | None, info: ValidationInfo
    ) -> dict[str, float | bool] | None:
        known = ["periodic", *WINDOWS[info.data.get("window_fn", "hann")][1]]
        unknown = [name for name in value or {} if name not in known]
        if unknown:
            raise ValueError(f"{unknown[0]}: not an argument of this window; it takes {', '.join(known)}")
        return value

    @field_validator("top_db")
    @classmethod
    def _of_decibels(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("compression") not in ("db", None):
            raise ValueError("applies to `compression: db` only; set that, or leave top_db out")
        return value

    @field_validator("mel_scale")
    @classmethod
    def _peaks_at_one(cls, value: MelScale, info: ValidationInfo) -> MelScale:
        if value == "kaldi" and info.data.get("norm") is not None:
            raise ValueError("kaldi's triangles have peak 1 and no unit area; leave `norm` out, or use slaney or htk")
        return value

    @field_validator("onesided")
    @classmethod
    def _one_side(cls, value: bool) -> bool:
        if not value:
            raise ValueError("a mel spectrogram needs the one-sided spectrum; leave this out")
        return value

    @field_validator("f_max")
    @classmethod
    def _above_f_min(cls, value: float | None, info: ValidationInfo) -> float | None:
        f_min = info.data.get("f_min")
        if value is not None and f_min is not None and value <= f_min:
            raise ValueError(f"{value:g} Hz is not above f_min ({f_min:g} Hz): no band would be left")
        return value

    @field_validator("win_length", "hop_length")
    @classmethod
    def _in_seconds(cls, value: float, info: ValidationInfo) -> float:
        what, longest, usual = _LENGTHS_S[str(info.field_name)]
        if value >= longest:
            milliseconds = f"{value:g} ms are {value / 1000:g}"
            raise ValueError(
                f"{what} of {value:g} seconds; the unit is seconds ({milliseconds}), below {longest:g}; "
                f"{usual:g} is usual"
            )
        return value

    def win_samples(self, sample_rate: int) -> int:
        return max(1, round(self.win_length * sample_rate))

    def hop_samples(self, sample_rate: int) -> int:
        return max(1, round(self.hop_length * sample_rate))

    def fft_samples(self, sample_rate: int) -> int:
        return self.n_fft or self.win_samples(sample_rate)

    def framed_samples(self, samples: int) -> int:
        """Samples that are cut into frames, before the padding of `center`: pre-emphasis takes one, `pad` adds some."""
        return max(0, samples - (self.preemphasis > 0)) + 2 * self.pad

    def num_frames(self, samples: int, sample_rate: int) -> int:
        """Frames of a wave of `samples` samples; 0 where it is shorter than one transform (uncentred)."""
        n_fft, padded = self.fft_samples(sample_rate), self.framed_samples(samples)
        if self.center:
            padded += 2 * (n_fft // 2)
        return max(0, 1 + (padded - n_fft) // self.hop_samples(sample_rate))

    def filters(self, sample_rate: int) -> torch.Tensor:
        """The mel filter bank, (bins, bands)."""
        return self.filters_between(torch.tensor([self.limits_hz(sample_rate)], dtype=torch.float64), sample_rate)[0]

    def filters_between(self, limits_hz: torch.Tensor, sample_rate: int) -> torch.Tensor:
        """A filter bank (B, bins, bands) for each pair of lowest and highest edge, (B, 2) in Hz."""
        return mel_filters(
            limits_hz,
            n_fft=self.fft_samples(sample_rate),
            sample_rate=sample_rate,
            n_mels=self.n_mels,
            norm=self.norm,
            mel_scale=self.mel_scale,
        )

    def limits_hz(self, sample_rate: int) -> tuple[float, float]:
        """Lower edge of the lowest band and upper edge of the highest."""
        return self.f_min, self.f_max if self.f_max is not None else sample_rate / 2

    def empty_bands(self, sample_rate: int) -> list[int]:
        """Bands that stay silent whatever the sound, counted from 0."""
        return empty_filters(self.filters(sample_rate))


class MelFrontEnd(nn.Module):
    """Waves (B, S) to compressed mel spectrograms (B, 1, T, F), in float32 even under autocast.

    Has no trained parameters and no state: the config determines it.
    """

    window: torch.Tensor
    bank: torch.Tensor

    def __init__(self, config: MelConfig, sample_rate: int) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = sample_rate
        self.hop = config.hop_samples(sample_rate)
        self.n_fft = config.fft_samples(sample_rate)
        self.register_buffer("window", _window(config, sample_rate), persistent=False)
        self.register_buffer("bank", config.filters(sample_rate), persistent=False)
        self._groups = _groups(self.bank)
        # A band holds the magnitude to the power of `power`: 20 log10 of the magnitude is 20 / power log10 of the band.
        self._db_per_decade = 20 / config.power
        self._floor = max(10 ** (config.floor_db / self._db_per_decade), torch.finfo(torch.float32).tiny)

    @property
    def num_bands(self) -> int:
        return self.config.n_mels

    @property
    def silence(self) -> float:
        """The value that digital silence has after compression."""
        return float(self.compress(torch.zeros(1)))

    def num_frames(self, samples: int) -> int:
        return self.config.num_frames(samples, self.sample_rate)

    def forward(self, wave_BS: torch.Tensor) -> torch.Tensor:
        with torch.autocast(wave_BS.device.type, enabled=False):
            return self.compress(self.mel(wave_BS.float())).unsqueeze(1)

    def power(self, wave_BS: torch.Tensor) -> torch.Tensor:
        """The magnitude spectrum raised to `power`, (B, T, bins)."""
        return self._in_parts(wave_BS, self._power)

    def mel(self, wave_BS: torch.Tensor) -> torch.Tensor:
        """The uncompressed mel spectrogram, (B, T, F)."""
        if wave_BS.device.type != "cpu" or self.config.power != 2 or len(self._groups) == 1:
            return self._in_parts(wave_BS, lambda frames_BTN: self._power(frames_BTN) @ self.bank)
        # The squares of real and imaginary parts stay side by side: the product adds them.
        banks = [self.bank[bins, bands].repeat_interleave(2, 0) for bins, bands in self._groups]
        return self._in_parts(wave_BS, lambda frames_BTN: self._bands(frames_BTN, banks))

    def _in_parts(self, wave_BS: torch.Tensor, stage: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        parts = [
            stage(self.framed(some_BS).unfold(1, self.n_fft, self.hop))
            for some_BS in wave_BS.split(self._clips_at_once(wave_BS))
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def framed(self, wave_BS: torch.Tensor) -> torch.Tensor:
        """What is cut into frames: the wave after pre-emphasis, `pad` and the padding of `center`."""
        config = self.config
        if config.preemphasis:
            wave_BS = wave_BS[:, 1:] - config.preemphasis * wave_BS[:, :-1]
        if config.pad:
            wave_BS = F.pad(wave_BS, (config.pad, config.pad))
        if config.center:
            half = self.n_fft // 2
            if config.pad_mode == "reflect" and wave_BS.shape[1] > half:
                return _reflected(wave_BS, half)
            wave_BS = F.pad(wave_BS.unsqueeze(1), (half, half), mode=config.pad_mode).squeeze(1)
        return wave_BS

    def compress(self, mel: torch.Tensor) -> torch.Tensor:
        """The last stage: the logarithm of mel bands (B, T, F), shifted and scaled."""
        config = self.config
        if config.compression == "log10p1":
            values = torch.log10(1 + mel)
        elif config.compression == "ln":
            values = torch.log(mel + config.log_offset)
        else:
            values = self._db_per_decade * torch.log10(mel.clamp(min=self._floor))
            # A single value, such as that of silence, has no maximum of a clip.
            if config.top_db is not None and values.dim() == 3:
                values = torch.maximum(values, values.amax(dim=(1, 2), keepdim=True) - config.top_db)
        if config.shift or config.divide != 1:
            values = (values + config.shift) / config.divide
        return values

    def _power(self, frames_BTN: torch.Tensor) -> torch.Tensor:
        squares = self._squares(frames_BTN)
        # A sum over an axis of two takes three times as long as the transform itself.
        power = squares[..., 0] + squares[..., 1]
        if self.config.power != 2:
            # The tiny offset keeps the gradient of a power below 2 finite at silence; it is far below float32's reach.
            power = (power + 1e-30) ** (self.config.power / 2)
        return power

    def _bands(self, frames_BTN: torch.Tensor, banks: list[torch.Tensor]) -> torch.Tensor:
        squares = self._squares(frames_BTN).flatten(0, 1).flatten(1)
        ranges = [slice(2 * bins.start, 2 * bins.stop) for bins, _ in self._groups]
        bands = [squares[:, own] @ bank for own, bank in zip(ranges, banks, strict=True)]
        return torch.cat(bands, dim=1).unflatten(0, frames_BTN.shape[:2])

    def _squares(self, frames_BTN: torch.Tensor) -> torch.Tensor:
        """Squares (B, T, bins, 2) of the real and imaginary parts of the spectrum."""
        spectrum = torch.view_as_real(torch.fft.rfft(frames_BTN * self.window))
        return spectrum.square() if spectrum.requires_grad else spectrum.square_()

    def _clips_at_once(self, wave_BS: torch.Tensor) -> int:
        if wave_BS.device.type != "cpu":
            return max(1, len(wave_BS))
        # About 4 MB of frames at a time: the second-level caches of two cores.
        return max(1, 2**20 // max(1, self.num_frames(wave_BS.shape[1]) * self.n_fft))


def _reflected(wave_BS: torch.Tensor, samples: int) -> torch.Tensor:
    """As torch's padding mode `reflect`, faster: all but the ends is one copy."""
    before, after = wave_BS[:, 1 : samples + 1], wave_BS[:, -samples - 1 : -1]
    return torch.cat([before.flip(1), wave_BS, after.flip(1)], dim=1)


def _groups(bank: torch.Tensor) -> list[tuple[slice, slice]]:
    """Ranges of bins and bands outside which the bank is zero. The higher half of the bands has most of the bins, so it
    is split once more. Few bands are one group."""
    num_bands = bank.shape[1]
    ends = [0, num_bands // 2, num_bands * 3 // 4, num_bands] if num_bands >= FEWEST_SPLIT else [0, num_bands]
    groups = []
    for first, end in pairwise(ends):
        heard = bank[:, first:end].any(dim=1).nonzero().flatten().tolist() or [0]
        groups.append((slice(heard[0], heard[-1] + 1), slice(first, end)))
    return groups


def _window(config: MelConfig, sample_rate: int) -> torch.Tensor:
    """The window, centred in a transform's length, scaled where `normalized` asks for it."""
    length, n_fft = config.win_samples(sample_rate), config.fft_samples(sample_rate)
    make, shape = WINDOWS[config.window_fn]
    given = config.wkwargs or {}
    values = [given.get(name, default) for name, default in shape.items()]
    window = make(length, bool(given.get("periodic", True)), *values, dtype=torch.float64)
    if config.normalized in (True, "window"):
        window = window / window.square().sum().sqrt()
    elif config.normalized == "frame_length":
        window = window / n_fft**0.5
    before = (n_fft - length) // 2
    return F.pad(window, (before, n_fft - length - before)).float()
