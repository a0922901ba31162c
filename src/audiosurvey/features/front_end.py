"""What a network hears, by its own choice: waves, their mel spectrograms, or both.

Enters: waveforms (B, S); leaves: what the network takes, on the device the waves are on.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from audiosurvey.features.band_change import BandChange
from audiosurvey.features.mel import MelConfig, MelFrontEnd

Input = Literal["wave", "mel"]
INPUTS: tuple[Input, ...] = ("wave", "mel")
"""In the order in which a network that hears both is given them."""
Heard = torch.Tensor | tuple[torch.Tensor, torch.Tensor]
"""Waves (B, 1, S), mel spectrograms (B, 1, T, F), or a pair of both in this order."""
FrontEnd = Callable[[torch.Tensor, BandChange | None], Heard]
"""Waves (B, S), and how their bands are changed or None, to what a network hears."""


class WaveFrontEnd(nn.Module):
    """Waves (B, S) as they are, (B, 1, S), float32 whatever the autocast."""

    silence = 0.0
    num_bands = 0

    def forward(self, wave_BS: torch.Tensor, change: BandChange | None = None) -> torch.Tensor:
        """`change` changes nothing: a wave has no bands."""
        return wave_BS.float().unsqueeze(1)


class WaveAndMelFrontEnd(nn.Module):
    """Waves (B, S) to a pair: the waves (B, 1, S), and their mel spectrograms (B, 1, T, F)."""

    def __init__(self, config: MelConfig, sample_rate: int) -> None:
        super().__init__()
        self.mel = MelFrontEnd(config, sample_rate)

    @property
    def silence(self) -> float:
        """The value that digital silence has on the spectrogram."""
        return self.mel.silence

    @property
    def num_bands(self) -> int:
        return self.mel.num_bands

    def forward(self, wave_BS: torch.Tensor, change: BandChange | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        return wave_BS.float().unsqueeze(1), self.mel(wave_BS, change)


def make_front_end(
    hears: tuple[Input, ...], mel: MelConfig, sample_rate: int
) -> MelFrontEnd | WaveFrontEnd | WaveAndMelFrontEnd:
    """The front end of a network that hears this. None holds trained parameters or is stored with the weights."""
    if "mel" not in hears:
        return WaveFrontEnd()
    return WaveAndMelFrontEnd(mel, sample_rate) if "wave" in hears else MelFrontEnd(mel, sample_rate)


def mel_for_show(mel: MelConfig | None, sample_rate: int) -> MelFrontEnd:
    """The spectrogram that pictures are drawn from: `mel`, or a usual one where the network hears none."""
    return MelFrontEnd(mel or MelConfig(compression="db", pad_mode="constant"), sample_rate)
