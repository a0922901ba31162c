"""Noise: white or coloured noise at a drawn signal-to-noise ratio. Works on waveforms (B, S).

The ratio refers to the mean power of the clip without padding; the noise fills the whole window. A silent clip stays
silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import mean_power, on_device
from audiosurvey.randomness import stream

TABLE_SAMPLES = 2**22
"""Length of the noise table of a colour (16 MB): 140 s at 30 kHz, used from any offset and with either sign."""
FLAT_BELOW = 1e-3
"""Frequency, relative to the sample rate, below which every colour is flat: otherwise nearly all the power of brown
noise would be inaudible."""
Colour = Literal["white", "pink", "brown", "blue", "violet", "uniform"]
SLOPES: dict[Colour, float] = {"white": 0, "pink": -0.5, "brown": -1, "blue": 0.5, "violet": 1, "uniform": 0}
"""Exponents of frequency in the amplitude spectrum; 0.5 is 3 dB per octave."""
RANDOM_COLOURS: tuple[Colour, ...] = ("white", "pink", "brown", "blue", "violet")
"""The colours that `random` chooses from."""
SnrDb = Annotated[float, Field(ge=-60, le=120)]


class NoiseConfig(OperationConfig):
    """Adds white or coloured noise."""

    min_snr_db: SnrDb = 1.0
    """One bound of the signal-to-noise ratio in dB; drawn uniformly between both bounds, in either order."""
    max_snr_db: SnrDb = 30.0
    """The other bound in dB."""
    colour: Colour | Literal["random"] | Annotated[list[Colour], Field(min_length=1)] = "white"
    """Spectral slope: 0 dB per octave for white, -3 for pink, -6 for brown (red), +3 for blue, +6 for violet; `uniform`
    is white noise with a uniform instead of a normal distribution. `random` draws one of the first five for each clip,
    a list one of its items."""

    @property
    def colours(self) -> Sequence[Colour]:
        """The colours that a clip's noise is drawn from."""
        if self.colour == "random":
            return RANDOM_COLOURS
        return self.colour if isinstance(self.colour, list) else [self.colour]


@dataclass(frozen=True, slots=True)
class NoiseDraw:
    snr_db: float
    offset: int
    """Offset into the noise table (modulo the number of windows)."""
    sign: int
    colour: Colour = "white"


class Noise(WaveOperation[NoiseConfig, NoiseDraw]):
    """Adds a random window of the noise table to each clip, at a drawn ratio."""

    name = "noise"

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> NoiseDraw:
        low, high = sorted((self.config.min_snr_db, self.config.max_snr_db))
        snr_db = float(rng.uniform(low, high))
        offset, sign = int(rng.integers(TABLE_SAMPLES)), 1 if rng.random() < 0.5 else -1
        colours = self.config.colours
        return NoiseDraw(
            snr_db, offset, sign, colours[int(rng.integers(len(colours)))] if len(colours) > 1 else colours[0]
        )

    def render(self, wave_BS: Tensor, draws: list[NoiseDraw], valid: list[int]) -> Tensor:
        # The loop reads the table in place, but a GPU would be called once for each clip.
        return (_add_one_by_one if wave_BS.device.type == "cpu" else _add_together)(wave_BS, draws, valid)

    def describe(self, draw: NoiseDraw) -> dict[str, object]:
        return {"snr_db": draw.snr_db, "colour": draw.colour}


# In both, dividing by the actual power of the noise over the clip makes the ratio exact for short clips too.
LEAST_POWER = 0.25
"""Bound of that power, for clips of a few samples, whose noise power is meaningless."""


def _add_one_by_one(wave_BS: Tensor, draws: list[NoiseDraw], valid: list[int]) -> Tensor:
    """Adds the drawn noise, one clip after the other."""
    samples = wave_BS.shape[1]
    tables = [noise_table(wave_BS.device, samples, draw.colour) for draw in draws]
    starts = [draw.offset % (len(table) - samples + 1) for draw, table in zip(draws, tables, strict=True)]
    noises = [table[start : start + samples] for table, start in zip(tables, starts, strict=True)]
    sizes_B = torch.tensor(valid).clamp(min=1)
    power_B = torch.stack([_energy(noise_S[:inside]) for noise_S, inside in zip(noises, valid, strict=True)]) / sizes_B
    wanted_B = torch.tensor([10 ** (-draw.snr_db / 10) for draw in draws], dtype=torch.float64)
    energy_B = torch.stack([_energy(wave_S) for wave_S in wave_BS])
    gain_B = torch.sqrt(energy_B / sizes_B * wanted_B / power_B.clamp(min=LEAST_POWER))
    gain_B = (gain_B * torch.tensor([draw.sign for draw in draws])).to(wave_BS.dtype)
    noisy_BS = torch.empty_like(wave_BS)
    for wave_S, noise_S, gain, noisy_S in zip(wave_BS, noises, gain_B, noisy_BS, strict=True):
        torch.addcmul(wave_S, noise_S.to(wave_S.dtype), gain, out=noisy_S)
    return noisy_BS


def _energy(wave_S: Tensor) -> Tensor:
    norm = torch.linalg.vector_norm(wave_S, dtype=torch.promote_types(wave_S.dtype, torch.float32))
    return norm.double().square()


def _add_together(wave_BS: Tensor, draws: list[NoiseDraw], valid: list[int]) -> Tensor:
    """Adds the drawn noise to all clips at once, without waiting for a GPU."""
    device, samples = wave_BS.device, wave_BS.shape[1]
    noise_BS = torch.empty_like(wave_BS)
    for colour in SLOPES:
        rows = [row for row, draw in enumerate(draws) if draw.colour == colour]
        if not rows:
            continue
        windows_BS = noise_windows([draws[row].offset for row in rows], samples, device, colour)
        noise_BS.index_copy_(0, on_device(rows, device), windows_BS.to(noise_BS.dtype))
    valid_B = on_device(valid, device)
    inside_BS = torch.arange(samples, device=device) < valid_B[:, None]
    noise_power_B = mean_power(noise_BS * inside_BS, valid_B).clamp(min=LEAST_POWER)
    wanted_B = on_device([10 ** (-draw.snr_db / 10) for draw in draws], device)
    sign_B = on_device([float(draw.sign) for draw in draws], device)
    gain_B = sign_B * torch.sqrt(mean_power(wave_BS, valid_B) * wanted_B / noise_power_B)
    return torch.addcmul(wave_BS, noise_BS, gain_B[:, None])


def noise_windows(offsets: list[int], samples: int, device: torch.device, colour: Colour = "white") -> Tensor:
    """Windows (B, samples) of the noise table, with unit power on average."""
    windows = noise_table(device, samples, colour).unfold(0, samples, 1)
    return windows.index_select(0, on_device([offset % len(windows) for offset in offsets], device))


def noise_table(device: torch.device, samples: int, colour: Colour = "white") -> Tensor:
    """At least `samples` of noise with unit power, the same on every device: made by numpy and cached."""
    table = _table(device, colour)
    return table if samples <= len(table) else table.repeat(-(-samples // len(table)))


@lru_cache(maxsize=4 * len(SLOPES))
def _table(device: torch.device, colour: Colour) -> Tensor:
    if colour == "uniform":
        spread = stream("noise table", colour).random(TABLE_SAMPLES, dtype=np.float32)
        return torch.from_numpy((2 * spread - 1) * np.float32(np.sqrt(3))).to(device)
    noise = stream("noise table").standard_normal(TABLE_SAMPLES, dtype=np.float32)
    if slope := SLOPES[colour]:
        # Filtered circularly as a whole, so that windows have no seam.
        spectrum = np.fft.rfft(noise.astype(np.float64))
        spectrum *= np.maximum(np.fft.rfftfreq(TABLE_SAMPLES), FLAT_BELOW) ** slope
        spectrum[0] = 0
        shaped = np.fft.irfft(spectrum, TABLE_SAMPLES)
        noise = (shaped / shaped.std()).astype(np.float32)
    return torch.from_numpy(noise).to(device)
