"""Noise: white or coloured noise is added at a drawn signal-to-noise ratio.

Enters and leaves: waveforms (B, S). The ratio refers to the mean power of the clip before padding; the noise
fills the whole window, as a microphone would hear it. A silent clip has no power to refer to and stays
silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.tensors import mean_power, on_device
from audiosurvey.randomness import stream
from audiosurvey.section import Section

TABLE_SAMPLES = 2**22
"""Length of the fixed table of a colour (16 MB): 140 s at 30 kHz, entered at any sample and with either sign."""
FLAT_BELOW = 1e-3
"""Share of the sample rate below which every colour is flat. Without it, nearly all the power of brown noise would lie
where nothing is heard."""
Colour = Literal["white", "pink", "brown", "blue", "violet", "uniform"]
SLOPES: dict[Colour, float] = {"white": 0, "pink": -0.5, "brown": -1, "blue": 0.5, "violet": 1, "uniform": 0}
"""By which power of frequency the amplitude goes: steps of 3 dB an octave."""
RANDOM_COLOURS: tuple[Colour, ...] = ("white", "pink", "brown", "blue", "violet")
"""What `random` chooses from."""


class NoiseConfig(Section):
    """Noise is added."""

    p: Probability = 0.0
    """Chance that a clip gets noise."""
    min_snr_db: float = 1.0
    """One bound of the signal-to-noise ratio in dB; drawn evenly between the two, whichever is the
    greater."""
    max_snr_db: float = 30.0
    """The other bound in dB."""
    colour: Colour | Literal["random"] | list[Colour] = "white"
    """How the power goes with frequency: white is even, pink falls by 3 dB an octave and brown (red) by 6, blue rises
    by 3 and violet by 6; uniform is white too, with samples that are evenly spread instead of normally. random: for
    each clip one of the first five; a list: for each clip one of these."""

    @field_validator("min_snr_db", "max_snr_db")
    @classmethod
    def _audible(cls, db: float) -> float:
        return audible_snr(db)

    @field_validator("colour")
    @classmethod
    def _some_colour(
        cls, colour: Colour | Literal["random"] | list[Colour]
    ) -> Colour | Literal["random"] | list[Colour]:
        if colour == []:
            raise ValueError("a list of no colours leaves nothing to choose from; leave the key out for white noise")
        return colour

    @property
    def colours(self) -> Sequence[Colour]:
        """What a clip's noise is chosen from."""
        if self.colour == "random":
            return RANDOM_COLOURS
        return self.colour if isinstance(self.colour, list) else [self.colour]


def audible_snr(db: float) -> float:
    """Refuses ratios at which either side is lost."""
    if not -60 <= db <= 120:
        raise ValueError(
            "a signal-to-noise ratio lies between -60 dB (nothing but noise) and 120 dB (no noise "
            f"at all); got {db:g} dB"
        )
    return db


@dataclass(frozen=True, slots=True)
class NoiseDraw:
    snr_db: float
    offset: int
    """Where in the table of its colour the clip's noise begins (modulo the places there are)."""
    sign: int
    colour: Colour = "white"


class Noise(WaveOperation[NoiseDraw]):
    """Adds noise to each clip at its own ratio, from its own window into the fixed table of a colour."""

    name = "noise"

    def __init__(self, config: NoiseConfig) -> None:
        super().__init__(config.p)
        self.config = config

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> NoiseDraw:
        low, high = sorted((self.config.min_snr_db, self.config.max_snr_db))
        snr_db = float(rng.uniform(low, high))
        offset, sign = int(rng.integers(TABLE_SAMPLES)), 1 if rng.random() < 0.5 else -1
        colours = self.config.colours
        return NoiseDraw(
            snr_db, offset, sign, colours[int(rng.integers(len(colours)))] if len(colours) > 1 else colours[0]
        )

    def render(self, wave_BS: Tensor, draws: list[NoiseDraw], valid: list[int]) -> Tensor:
        device, samples = wave_BS.device, wave_BS.shape[1]
        noise_BS = torch.empty_like(wave_BS)
        for colour in SLOPES:
            rows = [row for row, draw in enumerate(draws) if draw.colour == colour]
            if not rows:
                continue
            windows_BS = noise_windows([draws[row].offset for row in rows], samples, device, colour)
            noise_BS.index_copy_(0, on_device(rows, device), windows_BS.to(noise_BS.dtype))
        valid_B = on_device(valid, device)
        # Dividing by the power that this stretch of noise really has over the clip makes the ratio exact,
        # however short the clip. Below some ten samples that power says nothing; the bound keeps the rest of
        # the window sane.
        inside_BS = torch.arange(samples, device=device) < valid_B[:, None]
        noise_power_B = mean_power(noise_BS * inside_BS, valid_B).clamp(min=0.25)
        wanted_B = on_device([10 ** (-draw.snr_db / 10) for draw in draws], device)
        sign_B = on_device([float(draw.sign) for draw in draws], device)
        gain_B = sign_B * torch.sqrt(mean_power(wave_BS, valid_B) * wanted_B / noise_power_B)
        return torch.addcmul(wave_BS, noise_BS, gain_B[:, None])

    def describe(self, draw: NoiseDraw) -> dict[str, object]:
        return {"snr_db": draw.snr_db, "colour": draw.colour}


def noise_windows(offsets: list[int], samples: int, device: torch.device, colour: Colour = "white") -> Tensor:
    """Noise of unit power for each clip, from its own place in the table of the colour. Shape (B, samples)."""
    windows = noise_table(device, samples, colour).unfold(0, samples, 1)
    return windows.index_select(0, on_device([offset % len(windows) for offset in offsets], device))


def noise_table(device: torch.device, samples: int, colour: Colour = "white") -> Tensor:
    """Noise of unit power on this device, at least `samples` of it: the same everywhere, made once by numpy."""
    table = _table(device, colour)
    return table if samples <= len(table) else table.repeat(-(-samples // len(table)))


@lru_cache(maxsize=4 * len(SLOPES))
def _table(device: torch.device, colour: Colour) -> Tensor:
    if colour == "uniform":
        spread = stream("noise table", colour).random(TABLE_SAMPLES, dtype=np.float32)
        return torch.from_numpy((2 * spread - 1) * np.float32(np.sqrt(3))).to(device)
    noise = stream("noise table").standard_normal(TABLE_SAMPLES, dtype=np.float32)
    if slope := SLOPES[colour]:
        # The table is shaped as a whole, round its end: its windows have no seam, and their spectra the whole slope.
        spectrum = np.fft.rfft(noise.astype(np.float64))
        spectrum *= np.maximum(np.fft.rfftfreq(TABLE_SAMPLES), FLAT_BELOW) ** slope
        spectrum[0] = 0
        shaped = np.fft.irfft(spectrum, TABLE_SAMPLES)
        noise = (shaped / shaped.std()).astype(np.float32)
    return torch.from_numpy(noise).to(device)
